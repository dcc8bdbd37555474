//! Applies the unchanged Terraform stack to the emulator, which evaluates its policies. A slot runs on it from start to
//! post, each function has exactly the permissions of docs/rights.md, a second plan changes nothing, and a destroy leaves
//! nothing behind.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

mod rights;
mod terraform;

use std::{collections::BTreeMap, io::Write};

use base64::{Engine, prelude::BASE64_STANDARD};
use fakes::{openai, x};
use jiff::Timestamp;
use local_cloud::{Emulator, Options};
use post::{Outcome, PostId};
use posts_table::{Ledger, Table};
use serde_json::{Value, json};

use terraform::Terraform;

/// The name of the deployment in the environment dev.
const PREFIX: &str = "daily-post-dev";

/// Prints a line whether the test passes or fails.
fn print(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

struct Stack {
    ministack: Emulator,
    aws: aws_config::SdkConfig,
    account: local_cloud::Account,
    terraform: Terraform,
    openai: openai::OpenAi,
    x: x::X,
    credentials: x::Credentials,
}

impl Stack {
    /// Starts an emulator for this test. `None` if Terraform or its AWS provider is not installed.
    async fn new() -> Option<Stack> {
        let openai = openai::start(openai::Options {
            port: 0,
            api_key: "planted-openai-key".to_owned(),
        });
        let openai = openai.await.unwrap();
        let credentials = x::Credentials {
            api_key: "key".to_owned(),
            api_key_secret: "planted-x-key-secret".to_owned(),
            access_token: "42-token".to_owned(),
            access_token_secret: "planted-x-token-secret".to_owned(),
        };
        let x = x::start(x::Options {
            port: 0,
            credentials: credentials.clone(),
            name: "Spooky Days".to_owned(),
            handle: "spooky_days".to_owned(),
            directory: None,
        });
        let x = x.await.unwrap();
        // The emulator passes its environment to the functions, so they find the fakes without a change to the stack.
        let environment = [
            ("AUTH", "true".to_owned()),
            ("OPENAI_BASE_URL", openai.base_url()),
            ("X_API_BASE_URL", x.base_url()),
        ];
        let ministack = Emulator::start(Options {
            wait_scale: Some(0.0),
            environment: environment
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            ..Options::default()
        });
        let ministack = ministack.await.unwrap();
        // The only account in which the emulator finds an HTTP API.
        let account = ministack.account_named(0);
        let aws = account.sdk_config().await;
        let terraform = Terraform::new(ministack.url(), &aws).await?;
        Some(Stack {
            aws,
            ministack,
            account,
            terraform,
            openai,
            x,
            credentials,
        })
    }

    async fn put_secrets(&self) {
        let secrets = aws_sdk_secretsmanager::Client::new(&self.aws);
        let key = BASE64_STANDARD.encode("planted key of the approval page");
        for (name, value) in [
            ("openai", json!({"apiKey": "planted-openai-key"})),
            ("spooky-days/x-credentials", json!(self.credentials)),
            ("review", json!({"current": key})),
        ] {
            secrets
                .put_secret_value()
                .secret_id(format!("{PREFIX}/{name}"))
                .secret_string(value.to_string())
                .send()
                .await
                .unwrap();
        }
    }

    /// The emulator has no TLS. So the bucket policies deny every request, which this confirms; then it deletes the policies,
    /// so that the test can continue.
    async fn delete_the_bucket_policies_that_require_tls(&self) {
        let pick_day = rights::assume(&self.aws, "pick-day").await;
        let s3 = aws_sdk_s3::Client::new(&pick_day);
        let root = aws_sdk_s3::Client::new(&self.aws);
        let bucket = format!("{PREFIX}-{}-bot-files", self.account.id());
        let get = async || {
            let get = s3.get_object().bucket(&bucket).key("spooky-days/bot.toml");
            get.send().await
        };
        let refused = format!("{:?}", get().await.unwrap_err());
        assert!(refused.contains("explicit deny"), "{refused}");
        for kind in ["bot-files", "images"] {
            let bucket = format!("{PREFIX}-{}-{kind}", self.account.id());
            root.delete_bucket_policy()
                .bucket(bucket)
                .send()
                .await
                .unwrap();
        }
        get().await.unwrap();
    }

    /// The emulator requires two permissions, to send email and to answer a task token, on all resources, which no
    /// function has. So it denies the calls, which this confirms; then it grants the permissions to the functions that have
    /// them on the resources of the deployment.
    async fn grant_what_the_emulator_requires(&self) {
        for function in ["record-result", "request-approval", "watchdog"] {
            let aws = rights::assume(&self.aws, function).await;
            let send = aws_sdk_sesv2::Client::new(&aws).send_email();
            let refused = format!("{:?}", send.send().await.unwrap_err());
            assert!(
                refused.contains("ses:SendEmail on resource: *"),
                "{refused}"
            );
            self.allow(function, "ses:SendEmail").await;
        }
        for function in ["review", "watchdog"] {
            let aws = rights::assume(&self.aws, function).await;
            let answer = aws_sdk_sfn::Client::new(&aws).send_task_success();
            let answer = answer.task_token("unknown").output("{}").send();
            let refused = format!("{:?}", answer.await.unwrap_err());
            assert!(
                refused.contains("not authorized to perform: states:SendTaskSuccess"),
                "{refused}"
            );
            self.allow(function, "states:SendTaskSuccess").await;
        }
    }

    /// Grants a function an action on all resources.
    async fn allow(&self, function: &str, action: &str) {
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": action, "Resource": "*"},
        });
        let form = [
            ("Action", "PutRolePolicy"),
            ("Version", "2010-05-08"),
            ("RoleName", &format!("{PREFIX}-{function}")),
            ("PolicyName", &action.replace(':', "-")),
            ("PolicyDocument", &policy.to_string()),
        ];
        // The emulator reads only the account from this header.
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/20261125/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0",
            self.account.id()
        );
        let client = lambda_function::https::client_builder().build().unwrap();
        let request = client
            .post(self.ministack.url())
            .header("authorization", authorization);
        let answer = request.form(&form).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// The input with which Scheduler starts a slot at this time.
    async fn scheduled(&self, name: &str, time: &str) -> Value {
        let scheduler = aws_sdk_scheduler::Client::new(&self.aws);
        let schedule = scheduler.get_schedule().group_name(PREFIX).name(name);
        let schedule = schedule.send().await.unwrap();
        let target = schedule.target().unwrap();
        assert_eq!(target.arn(), self.state_machine());
        let input = target.input().unwrap();
        assert!(input.contains("<aws.scheduler.scheduled-time>"), "{input}");
        serde_json::from_str(&input.replace("<aws.scheduler.scheduled-time>", time)).unwrap()
    }

    fn state_machine(&self) -> String {
        let account = self.account.id();
        format!("arn:aws:states:us-east-1:{account}:stateMachine:{PREFIX}")
    }

    async fn start(&self, input: &Value) -> String {
        let sfn = aws_sdk_sfn::Client::new(&self.aws);
        let started = sfn
            .start_execution()
            .state_machine_arn(self.state_machine())
            .input(input.to_string())
            .send();
        started.await.unwrap().execution_arn
    }

    /// The status and the state document of an execution once it has ended.
    async fn ended(&self, execution: &str) -> (String, Value) {
        let sfn = aws_sdk_sfn::Client::new(&self.aws);
        for _ in 0..1200 {
            let now = sfn.describe_execution().execution_arn(execution).send();
            let now = now.await.unwrap();
            if now.status.as_str() != "RUNNING" {
                let output = now.output.as_deref().unwrap_or("null");
                return (
                    format!("{} {:?} {:?}", now.status.as_str(), now.error, now.cause),
                    serde_json::from_str(output).unwrap(),
                );
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{execution} is still running");
    }

    /// The link in the approval email of an execution.
    async fn link(&self, execution: &str) -> String {
        let sfn = aws_sdk_sfn::Client::new(&self.aws);
        for _ in 0..1200 {
            let now = sfn.describe_execution().execution_arn(execution).send();
            let now = now.await.unwrap();
            let why = (now.error.as_deref(), now.cause.as_deref());
            assert_eq!(now.status.as_str(), "RUNNING", "{why:?}");
            let mails = self.account.mails().await.unwrap();
            let mut words = mails
                .iter()
                .flat_map(|mail| mail.body_text.split_whitespace());
            if let Some(link) = words.find(|word| word.contains("/review/")) {
                return link.to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{execution} sent no approval email");
    }

    /// Runs an operator's command and returns its JSON.
    async fn spooky(&self, arguments: &[&str]) -> Value {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_spooky"));
        command.args(["--env", "dev"]).args(arguments).arg("--json");
        for (name, value) in [
            ("AWS_ENDPOINT_URL", self.ministack.url()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("USER", "operator"),
        ] {
            command.env(name, value);
        }
        let output = command.env_remove("AWS_PROFILE").output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Approves on the approval page, through the HTTP API.
    async fn approve(&self, link: &str) {
        let url: reqwest::Url = link.parse().unwrap();
        let port = url.port().unwrap();
        let client = lambda_function::https::client_builder()
            .resolve(url.host_str().unwrap(), ([127, 0, 0, 1], port).into())
            .build()
            .unwrap();
        let page = client.get(url.clone()).send().await.unwrap();
        assert_eq!(page.status(), 200);
        let page = page.text().await.unwrap();
        let mut form = vec![("answer", "approve".to_owned())];
        for name in ["content", "form", "caption", "altText"] {
            form.push((name, local_cloud::form_field(&page, name).unwrap()));
        }
        let answer = client.post(url).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 303);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployed_stack_posts_with_the_permissions_of_docs_rights_and_a_destroy_leaves_nothing()
{
    let Some(stack) = Stack::new().await else {
        print(
            "\nNOT TESTED: the stack was not applied, because Terraform or its AWS provider is not installed.\n",
        );
        return;
    };
    let applied = stack.terraform.apply().await;

    // A second plan changes nothing, apart from attributes that the emulator does not return.
    let drift = stack.terraform.drift().await;
    assert_eq!(drift, Vec::<String>::new());
    rights::compare_the_table_with_the_policies(&stack.terraform.state().await);
    rights::check_what_the_emulator_does_not_enforce(&stack.terraform.state().await);

    stack.put_secrets().await;
    stack.delete_the_bucket_policies_that_require_tls().await;
    stack.grant_what_the_emulator_requires().await;

    // A slot in the future: an execution of a past slot is too late to post.
    let input = stack
        .scheduled("daily-post-dev-spooky-days-1", "2027-10-29T10:00:00Z")
        .await;
    let execution = stack.start(&input).await;
    stack.approve(&stack.link(&execution).await).await;
    let (status, output) = stack.ended(&execution).await;
    assert!(status.starts_with("SUCCEEDED"), "{status}");
    assert_eq!(output["record"]["outcome"], "posted", "{output}");
    let tweets = stack.x.tweets();
    assert_eq!(tweets.len(), 1);
    assert_eq!(output["tweet"]["id"], tweets[0].id);
    assert_eq!(stack.openai.requests().len(), 1);
    let table = Table::new(aws_sdk_dynamodb::Client::new(&stack.aws), PREFIX);
    let post: PostId = "spooky-days/2027-10-29/1".parse().unwrap();
    let record = table.read(&post).await.unwrap().unwrap();
    assert_eq!(
        (record.outcome, record.ledger),
        (Some(Outcome::Posted), Ledger::Posted)
    );
    let month = table.spending(
        "spooky-days",
        Timestamp::now()
            .to_zoned_datetime(jiff::tz::TimeZone::get("America/New_York").unwrap())
            .date(),
    );
    assert!(month.await.unwrap().total.committed.0 > 0);

    // A dry run goes through every state and sends no request to X or OpenAI, and no email.
    let mails = stack.account.mails().await.unwrap().len();
    let input = json!({"bot": "spooky-days", "slot": 1, "date": "2027-10-29", "dryRun": true});
    let (status, output) = stack.ended(&stack.start(&input).await).await;
    assert!(status.starts_with("SUCCEEDED"), "{status}");
    assert_eq!(output["record"]["outcome"], "dry-run", "{output}");
    assert_eq!(output["tweet"]["requests"].as_array().unwrap().len(), 3);
    assert_eq!(stack.x.tweets().len(), 1);
    assert_eq!(stack.openai.requests().len(), 1);
    assert_eq!(stack.account.mails().await.unwrap().len(), mails);

    // The commands that an operator runs after a deployment, and a deletion.
    let doctor = stack.spooky(&["doctor"]).await;
    assert_eq!(doctor["failed"], 0, "{doctor}");
    let name = post.to_string();
    let deleted = stack
        .spooky(&["delete", &name, "--yes", "--reason", "end of the test"])
        .await;
    assert_eq!(deleted["id"], tweets[0].id, "{deleted}");
    assert!(stack.x.tweets()[0].deleted_at.is_some());

    // The rule records a failure, and record-result sends a notification.
    let execution = stack
        .start(&json!({"bot": "unknown-bot", "slot": 1, "date": "2027-10-29"}))
        .await;
    let (status, _) = stack.ended(&execution).await;
    assert!(
        status.starts_with("FAILED") && status.contains("InvalidInput"),
        "{status}"
    );
    let notified = async || {
        let mails = stack.account.mails().await.unwrap();
        mails.iter().any(|mail| mail.to == ["alerts@example.org"])
    };
    for _ in 0..1200 {
        if notified().await {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(notified().await, "no notification of the failure was sent");

    // The watchdog and its probes, with the permissions of the watchdog.
    let lambda = aws_sdk_lambda::Client::new(&stack.aws);
    for (payload, wanted) in [("{}", "waiting"), ("{\"canaries\": true}", "checks")] {
        let invoke = lambda.invoke().function_name(format!("{PREFIX}-watchdog"));
        let answer = invoke
            .qualifier("live")
            .payload(aws_sdk_lambda::primitives::Blob::new(payload));
        let answer = answer.send().await.unwrap();
        let answer: Value = serde_json::from_slice(answer.payload.unwrap().as_ref()).unwrap();
        assert!(answer.get(wanted).is_some(), "{answer}");
        for check in answer["checks"].as_array().into_iter().flatten() {
            assert_ne!(check["verdict"], "fail", "{check}");
        }
    }

    let tried = rights::try_every_function(&stack.aws, stack.account.id()).await;

    let destroyed = stack.terraform.destroy().await;
    let left = terraform::what_is_left(&stack.aws).await;
    assert_eq!(left, BTreeMap::new());
    print(&format!(
        "\nThe stack: {applied}; {tried} calls allowed or denied as documented; {destroyed}.\n"
    ));
    stack.ministack.stop().await.unwrap();
}
