//! The real function against the emulator: what is recorded of each end of a run, in any order, and what is not.

use std::process::Command;

use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType,
};
use aws_sdk_sfn::types::ExecutionStatus;
use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use ministack::{Account, MiniStack};
use post_record::{Claim, Failure, Ledger, Outcome, PostId, Record};
use proptest::prelude::*;
use record_result::{Clients, Config, Error, Input, Output, record_result};
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, method, path},
};

const POST: &str = "spooky-days/2026-10-30/1";

/// The function with a table of its own.
struct Archive {
    account: Account,
    aws: SdkConfig,
    dynamodb: aws_sdk_dynamodb::Client,
    clients: Clients,
    config: Config,
}

impl Archive {
    async fn new() -> anyhow::Result<Archive> {
        let account = MiniStack::shared().await.account();
        let aws = account.sdk_config().await;
        let dynamodb = aws_sdk_dynamodb::Client::new(&aws);
        let config = Config {
            table_name: "posts".to_owned(),
        };
        let mut table = dynamodb
            .create_table()
            .table_name(&config.table_name)
            .billing_mode(BillingMode::PayPerRequest);
        for (name, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
            table = table
                .attribute_definitions(
                    AttributeDefinition::builder()
                        .attribute_name(name)
                        .attribute_type(ScalarAttributeType::S)
                        .build()?,
                )
                .key_schema(
                    KeySchemaElement::builder()
                        .attribute_name(name)
                        .key_type(kind)
                        .build()?,
                );
        }
        table.send().await?;
        Ok(Archive {
            clients: Clients::new(&aws, &config),
            account,
            aws,
            dynamodb,
            config,
        })
    }

    /// The ARN of an execution of this account that nobody started.
    fn run(&self, name: &str) -> String {
        format!(
            "arn:aws:states:{}:{}:execution:daily-post:{name}",
            ministack::REGION,
            self.account.id()
        )
    }

    async fn claim(&self, post: &str, execution: &str) -> anyhow::Result<()> {
        let record = Record {
            post: post.to_owned(),
            execution: execution.to_owned(),
            claimed_at: now(),
            ledger: Ledger::Claimed,
            day: json!({"status": "picked", "post": post}),
            approval_required: false,
            not_after: None,
            allow_late: None,
            media_keys: Vec::new(),
            text: None,
            lease_id: None,
            lease_until: None,
            armed_at: None,
            looks: 0,
            tweet_id: None,
            posted_at: None,
            rejection: None,
            outcome: None,
            reason: None,
            ended_at: None,
            failure: None,
            result: None,
        };
        let claimed = self.clients.table.claim(&post.parse()?, &record).await?;
        anyhow::ensure!(matches!(claimed, Claim::Held(_)), "{post} is taken");
        Ok(())
    }

    async fn record(&self, post: &str) -> anyhow::Result<Option<Record>> {
        Ok(self.clients.table.read(&post.parse()?).await?)
    }

    /// The record as JSON, to see that nothing of it was touched.
    async fn snapshot(&self, post: &str) -> anyhow::Result<Value> {
        Ok(serde_json::to_value(self.record(post).await?)?)
    }

    async fn tell(&self, input: Value) -> Result<Output, Error> {
        record_result(&self.clients, now(), read(input)).await
    }

    /// The sort keys of a post's audit trail with what each line says.
    async fn audit(&self, post: &str) -> anyhow::Result<Vec<(String, Value)>> {
        let post: PostId = post.parse()?;
        let found = self
            .dynamodb
            .query()
            .table_name(&self.config.table_name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :audit)")
            .expression_attribute_values(":pk", AttributeValue::S(post.partition_key()))
            .expression_attribute_values(
                ":audit",
                AttributeValue::S(format!("{}#audit#", post.sort_key())),
            )
            .send()
            .await?;
        let text =
            |v: Option<&AttributeValue>| v.and_then(|v| v.as_s().ok()).cloned().unwrap_or_default();
        Ok(found
            .items()
            .iter()
            .map(|item| {
                let details = item.get("details").and_then(|v| v.as_m().ok());
                let execution = text(details.and_then(|details| details.get("execution")));
                (
                    text(item.get("sk")),
                    json!({"what": text(item.get("what")), "execution": execution}),
                )
            })
            .collect())
    }

    async fn items(&self) -> anyhow::Result<usize> {
        let scan = self.dynamodb.scan().table_name(&self.config.table_name);
        Ok(scan.send().await?.items().len())
    }

    /// Runs a machine of two states whose second one fails, and gives the execution's ARN.
    async fn failing_run(&self) -> anyhow::Result<String> {
        let sfn = &self.clients.sfn;
        let definition = json!({
            "StartAt": "PickDay",
            "States": {
                "PickDay": {"Type": "Pass", "Next": "GenerateImage"},
                "GenerateImage": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::aws-sdk:dynamodb:getItem",
                    "Parameters": {"TableName": "no-such-table", "Key": {"pk": {"S": "x"}, "sk": {"S": "y"}}},
                    "End": true,
                },
            },
        });
        let machine = sfn
            .create_state_machine()
            .name("daily-post")
            .definition(definition.to_string())
            .role_arn(format!(
                "arn:aws:iam::{}:role/daily-post",
                self.account.id()
            ))
            .send()
            .await?;
        let run = sfn
            .start_execution()
            .state_machine_arn(machine.state_machine_arn())
            .input("{}")
            .send()
            .await?;
        loop {
            let now = sfn
                .describe_execution()
                .execution_arn(&run.execution_arn)
                .send()
                .await?;
            match now.status {
                // The emulator answers each look, so this ends as soon as it has run two states.
                ExecutionStatus::Running => tokio::task::yield_now().await,
                ExecutionStatus::Failed => return Ok(run.execution_arn),
                status => anyhow::bail!("the run did not fail: {status}"),
            }
        }
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_793_361_600).unwrap_or_default()
}

fn read(input: Value) -> Input {
    Input::read(input.clone()).unwrap_or_else(|error| panic!("{input}: {error}"))
}

/// What the state machine says at the end of a run, with what differs from an ordinary one.
fn end(execution: &str, change: &Value) -> Value {
    let mut state = json!({
        "execution": execution,
        "day": {"status": "picked", "post": POST},
        "prompt": {"prompt": "A ghost", "caption": "Boo!", "altText": "A ghost."},
        "draft": {"key": "drafts/x", "costUsd": 0.05},
        "image": {"key": "pictures/x", "sha256": "00"},
        "tweet": {"status": "posted", "id": "17", "url": "https://x.com/i/status/17", "costUsd": 0.015},
    });
    for (field, value) in change.as_object().into_iter().flatten() {
        state[field] = value.clone();
    }
    state
}

/// An event as EventBridge sends it, with what differs from an ordinary failure.
fn event(execution: &str, change: &Value) -> Value {
    let mut detail = json!({
        "executionArn": execution,
        "stateMachineArn": "arn:aws:states:us-east-1:1:stateMachine:daily-post",
        "name": "a",
        "status": "FAILED",
        "startDate": 1_793_361_000_000_i64,
        "stopDate": 1_793_361_600_000_i64,
        "input": json!({"bot": "spooky-days", "slot": 1, "date": "2026-10-30"}).to_string(),
        "inputDetails": {"included": true},
        "output": null,
        "outputDetails": null,
        "error": "ModelGone",
        "cause": "{\"errorMessage\": \"The model does not exist.\"}",
        "redriveCount": 0,
        "redriveStatus": "REDRIVABLE",
    });
    for (field, value) in change.as_object().into_iter().flatten() {
        detail[field] = value.clone();
    }
    json!({
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73e60175",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": "123456789012",
        "time": "2026-10-30T12:00:00Z",
        "region": "us-east-1",
        "resources": [execution],
        "detail": detail,
    })
}

/// An error's name and message, after what holds for all of them was checked.
fn told(error: Error) -> (String, String) {
    let name = <&str>::from(&error).to_owned();
    let diagnostic = Diagnostic::from(error);
    assert_eq!(diagnostic.error_type, name);
    let message = diagnostic.error_message;
    assert!(!message.is_empty(), "{name} says nothing");
    assert!(!message.contains(['\n', '\r']), "{name}: {message:?}");
    (name, message)
}

/// What the real binary answers to payloads that it cannot read, each with its name and message.
async fn answered(payloads: &[Value]) -> anyhow::Result<Vec<Value>> {
    let runtime = MockServer::start().await;
    let next = || Mock::given(path("/2018-06-01/runtime/invocation/next"));
    for (i, payload) in payloads.iter().enumerate() {
        let invocation = ResponseTemplate::new(200)
            .insert_header("lambda-runtime-aws-request-id", i.to_string().as_str())
            .insert_header("lambda-runtime-deadline-ms", "4102444800000")
            .insert_header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:x")
            .set_body_json(payload);
        next()
            .respond_with(invocation)
            .up_to_n_times(1)
            .mount(&runtime)
            .await;
    }
    // After that, the function waits for work that never comes.
    let nothing = ResponseTemplate::new(200).set_delay(std::time::Duration::from_secs(60));
    next().respond_with(nothing).mount(&runtime).await;
    let answers = Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(202))
        .expect(payloads.len() as u64)
        .mount_as_scoped(&runtime)
        .await;
    let mut function = tokio::process::Command::new(env!("CARGO_BIN_EXE_record-result"))
        .env_clear()
        .envs([
            (
                "AWS_LAMBDA_RUNTIME_API",
                runtime.address().to_string().as_str(),
            ),
            ("AWS_LAMBDA_FUNCTION_NAME", "record-result"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "log"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "log"),
            ("AWS_REGION", "us-east-1"),
            ("TABLE_NAME", "x"),
        ])
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    tokio::select! {
        () = answers.wait_until_satisfied() => {}
        ended = function.wait() => anyhow::bail!("the function ended: {}", ended?),
    }
    let requests = answers.received_requests().await;
    requests
        .iter()
        .map(|request| Ok(request.body_json()?))
        .collect()
}

#[tokio::test]
async fn each_end_of_a_run_that_holds_its_slot_is_its_record() {
    let archive = Archive::new().await.unwrap();
    let run = archive.run("a");
    let refusal = |cause: &str| json!({"Error": "PromptRejected", "Cause": cause});
    let message = json!({"errorType": "PromptRejected", "errorMessage": "Too gory."}).to_string();
    let rows = [
        ("posted", Outcome::Posted, None, 0.065, json!({})),
        (
            "skipped",
            Outcome::Skipped,
            Some("no entry for 10-30"),
            0.0,
            json!({
                "day": {"status": "skipped", "reason": "no entry for 10-30"},
                "prompt": null, "draft": null, "image": null, "tweet": null,
            }),
        ),
        (
            "skipped",
            Outcome::Skipped,
            Some("too late"),
            0.05,
            json!({"tweet": {"status": "skipped", "reason": "too late"}}),
        ),
        (
            "rejected",
            Outcome::Rejected,
            Some("rejected by owner@example.org: not funny"),
            0.15,
            json!({
                "tweet": null, "spentUsd": 0.1,
                "approval": {"decision": {"verdict": "rejected", "by": "owner@example.org", "at": "2026-10-30T11:00:00Z", "reason": "not funny"}},
                // A prompt that was refused before is not how it ended.
                "refusal": refusal(&message),
            }),
        ),
        (
            "expired",
            Outcome::Expired,
            Some("nobody decided in time"),
            0.05,
            json!({
                "tweet": null,
                "approval": {"decision": {"verdict": "expired", "by": "policy", "at": "2026-10-30T11:00:00Z"}},
            }),
        ),
        // Another picture was asked for, and nobody would paint it.
        (
            "refused",
            Outcome::Refused,
            Some("Too gory."),
            0.15,
            json!({
                "tweet": null, "spentUsd": 0.1, "refusal": refusal(&message),
                "approval": {"decision": {"verdict": "regenerate", "by": "owner@example.org", "at": "2026-10-30T11:00:00Z", "note": ""}},
            }),
        ),
        (
            "refused",
            Outcome::Refused,
            Some("Too gory."),
            0.0,
            json!({"draft": null, "image": null, "tweet": null, "refusal": refusal(&message)}),
        ),
        // A cause is not always JSON, and not always there.
        (
            "refused",
            Outcome::Refused,
            Some("no JSON"),
            0.0,
            json!({"draft": null, "image": null, "tweet": null, "refusal": refusal("no JSON")}),
        ),
        (
            "refused",
            Outcome::Refused,
            None,
            0.0,
            json!({"draft": null, "image": null, "tweet": null, "refusal": {}}),
        ),
        // A prompt that was refused once and then painted is no refusal.
        (
            "posted",
            Outcome::Posted,
            None,
            0.065,
            json!({"refusal": refusal(&message), "softness": 1}),
        ),
    ];
    for (i, (name, outcome, reason, cost, change)) in rows.into_iter().enumerate() {
        let post = format!("spooky-days/{}-10-30/1", 2026 + i);
        archive.claim(&post, &run).await.unwrap();
        let mut state = end(&run, &change);
        state["day"]["post"] = json!(post);

        let output = archive.tell(state.clone()).await.unwrap();

        assert_eq!(output.outcome, name, "row {i}");
        assert_eq!(output.reason.as_deref(), reason, "row {i}");
        assert!(output.recorded, "row {i}");
        assert!(
            (output.cost_usd - cost).abs() < 1e-9,
            "row {i}: {}",
            output.cost_usd
        );
        let record = archive.record(&post).await.unwrap().unwrap();
        assert_eq!(record.outcome, Some(outcome), "row {i}");
        assert_eq!(record.reason.as_deref(), reason, "row {i}");
        assert_eq!(record.ended_at, Some(now()), "row {i}");
        let result = record.result.unwrap();
        for field in ["prompt", "draft", "image"] {
            assert_eq!(result[field], state[field], "row {i}: {field}");
        }
        assert_eq!(result["tweet"]["id"], state["tweet"]["id"], "row {i}");
        let recorded = result["costUsd"].as_f64().unwrap();
        assert!((recorded - cost).abs() < 1e-9, "row {i}: {recorded}");
        assert!(archive.audit(&post).await.unwrap().is_empty(), "row {i}");
    }
}

#[tokio::test]
async fn entering_again_says_and_leaves_the_same() {
    let archive = Archive::new().await.unwrap();
    let run = archive.run("a");
    archive.claim(POST, &run).await.unwrap();
    let state = end(&run, &json!({}));
    let first = archive.tell(state.clone()).await.unwrap();
    let before = archive.snapshot(POST).await.unwrap();

    let later = now() + jiff::SignedDuration::from_hours(1);
    let again = record_result(&archive.clients, later, read(state))
        .await
        .unwrap();

    assert_eq!(again, first);
    assert_eq!(archive.snapshot(POST).await.unwrap(), before);
}

#[tokio::test]
async fn a_duplicate_leaves_one_line_in_the_audit_trail_and_the_record_alone() {
    let archive = Archive::new().await.unwrap();
    let (holder, second, third) = (archive.run("a"), archive.run("b"), archive.run("c"));
    archive.claim(POST, &holder).await.unwrap();
    let before = archive.snapshot(POST).await.unwrap();
    let reason = format!("{POST} is held by {holder}");
    let day = json!({"status": "duplicate", "post": POST, "reason": reason, "heldBy": holder});

    for run in [&second, &second, &third] {
        let state = json!({"execution": run, "day": day});
        let output = archive.tell(state).await.unwrap();
        assert_eq!(
            output,
            Output {
                outcome: "duplicate",
                reason: Some(reason.clone()),
                recorded: false,
                cost_usd: 0.0,
            }
        );
    }

    assert_eq!(archive.snapshot(POST).await.unwrap(), before);
    let lines: Vec<Value> = archive
        .audit(POST)
        .await
        .unwrap()
        .into_iter()
        .map(|(_, line)| line)
        .collect();
    assert_eq!(
        lines,
        [
            json!({"what": "duplicate#b", "execution": second}),
            json!({"what": "duplicate#c", "execution": third}),
        ]
    );
}

#[tokio::test]
async fn an_end_that_does_not_fit_the_record_is_a_lost_claim_and_changes_nothing() {
    let archive = Archive::new().await.unwrap();
    let (holder, other) = (archive.run("a"), archive.run("b"));
    let lost = async |state: Value| {
        let before = archive.snapshot(POST).await.unwrap();
        let (name, message) = told(archive.tell(state).await.unwrap_err());
        assert_eq!(name, "ClaimLost", "{message}");
        assert!(message.contains(POST), "{message}");
        assert_eq!(archive.snapshot(POST).await.unwrap(), before);
    };
    let skipped = json!({"tweet": {"status": "skipped", "reason": "too late"}});
    // Nobody ever claimed it.
    lost(end(&holder, &json!({}))).await;
    archive.claim(POST, &holder).await.unwrap();
    lost(end(&other, &json!({}))).await;
    archive.tell(end(&holder, &json!({}))).await.unwrap();
    // It has another outcome.
    lost(end(&holder, &skipped)).await;
    lost(end(&other, &json!({}))).await;
}

#[tokio::test]
async fn an_end_that_is_none_is_invalid_input_and_says_which() {
    let archive = Archive::new().await.unwrap();
    let run = archive.run("a");
    archive.claim(POST, &run).await.unwrap();
    let before = archive.snapshot(POST).await.unwrap();
    for (change, says) in [
        (
            json!({"day": {"status": "picked", "post": "spooky-days"}}),
            "bot/date/slot",
        ),
        (
            json!({"day": {"status": "picked", "post": ""}}),
            "bot/date/slot",
        ),
        (
            json!({"day": {"status": "vanished", "post": POST}}),
            "vanished",
        ),
        (
            json!({"day": {"status": "", "post": POST}}),
            "no end of a run",
        ),
        (json!({"tweet": {"status": "in flight"}}), "in flight"),
        (json!({"tweet": null}), "no end of a run"),
        (json!({"tweet": null, "refusal": null}), "no end of a run"),
    ] {
        let (name, message) = told(archive.tell(end(&run, &change)).await.unwrap_err());
        assert_eq!(name, "InvalidInput", "{change}: {message}");
        assert!(message.contains(says), "{change}: {message}");
    }
    assert_eq!(archive.snapshot(POST).await.unwrap(), before);
    assert_eq!(archive.items().await.unwrap(), 1);
}

#[tokio::test]
async fn a_failure_of_the_holder_is_recorded_with_the_state_of_its_history() {
    let archive = Archive::new().await.unwrap();
    let run = archive.failing_run().await.unwrap();
    archive.claim(POST, &run).await.unwrap();
    let change = json!({"redriveCount": 2});

    let output = archive.tell(event(&run, &change)).await.unwrap();

    assert_eq!(
        output,
        Output {
            outcome: "failed",
            reason: Some("ModelGone".to_owned()),
            recorded: true,
            cost_usd: 0.0,
        }
    );
    let record = archive.record(POST).await.unwrap().unwrap();
    assert_eq!(
        record.failure,
        Some(Failure {
            status: "FAILED".to_owned(),
            state: Some("GenerateImage".to_owned()),
            error: Some("ModelGone".to_owned()),
            cause: Some("{\"errorMessage\": \"The model does not exist.\"}".to_owned()),
            redrive_count: 2,
            at: Timestamp::from_millisecond(1_793_361_600_000).unwrap(),
        })
    );
    // A redrive may still end it well.
    assert_eq!(record.outcome, None);
    assert_eq!(record.ledger, Ledger::Claimed);
    let again = archive.tell(event(&run, &change)).await.unwrap();
    assert_eq!(again, output);
    assert!(archive.audit(POST).await.unwrap().is_empty());

    archive.tell(end(&run, &json!({}))).await.unwrap();
    let ended = archive.record(POST).await.unwrap().unwrap();
    assert_eq!(ended.outcome, Some(Outcome::Posted));
    assert_eq!(ended.failure, record.failure);
}

#[tokio::test]
async fn each_bad_status_of_an_execution_without_a_history_is_recorded_too() {
    let archive = Archive::new().await.unwrap();
    for (i, status) in ["FAILED", "TIMED_OUT", "ABORTED"].into_iter().enumerate() {
        let run = archive.run(status);
        let date = format!("{}-10-30", 2026 + i);
        let post = format!("spooky-days/{date}/1");
        archive.claim(&post, &run).await.unwrap();
        let change = json!({
            "status": status,
            "error": null, "cause": null, "redriveCount": null, "stopDate": null,
            "input": json!({"bot": "spooky-days", "slot": 1, "date": date}).to_string(),
        });

        let output = archive.tell(event(&run, &change)).await.unwrap();

        assert!(output.recorded, "{status}");
        assert_eq!(output.reason, None);
        let failure = archive.record(&post).await.unwrap().unwrap().failure;
        assert_eq!(
            failure,
            Some(Failure {
                status: status.to_owned(),
                state: None,
                error: None,
                cause: None,
                redrive_count: 0,
                at: now(),
            })
        );
    }
}

#[tokio::test]
async fn a_failure_that_is_late_old_or_not_the_holders_is_a_line_in_the_audit_trail() {
    let archive = Archive::new().await.unwrap();
    let (holder, other) = (archive.run("a"), archive.run("b"));
    let unrecorded = async |input: Value, lines: usize| {
        let before = archive.snapshot(POST).await.unwrap();
        for _ in 0..2 {
            let output = archive.tell(input.clone()).await.unwrap();
            assert_eq!(output.outcome, "failed");
            assert!(!output.recorded);
        }
        assert_eq!(archive.snapshot(POST).await.unwrap(), before);
        let audit = archive.audit(POST).await.unwrap();
        assert_eq!(audit.len(), lines, "{audit:?}");
        audit
    };
    let at = |ms: i64| json!({"stopDate": ms});

    // Nobody holds the slot: the run failed before its claim.
    let audit = unrecorded(event(&holder, &at(1_000)), 1).await;
    assert_eq!(
        audit[0].0,
        "slot#1#audit#1970-01-01T00:00:01Z#unrecorded-failure#a"
    );
    assert_eq!(audit[0].1["execution"], holder);

    archive.claim(POST, &holder).await.unwrap();
    let audit = unrecorded(event(&other, &at(2_000)), 2).await;
    assert_eq!(audit[1].1["what"], "unrecorded-failure#b");

    let redriven = json!({"redriveCount": 2, "error": "Unconfirmed"});
    assert!(
        archive
            .tell(event(&holder, &redriven))
            .await
            .unwrap()
            .recorded
    );
    let old = json!({"redriveCount": 1, "stopDate": 3_000});
    unrecorded(event(&holder, &old), 3).await;

    archive.tell(end(&holder, &json!({}))).await.unwrap();
    let late = json!({"redriveCount": 3, "stopDate": 4_000});
    unrecorded(event(&holder, &late), 4).await;
    let outcome = archive.record(POST).await.unwrap().unwrap().outcome;
    assert_eq!(outcome, Some(Outcome::Posted));
}

#[tokio::test]
async fn an_event_whose_input_names_no_slot_is_answered_and_writes_nothing() {
    let archive = Archive::new().await.unwrap();
    let run = archive.run("a");
    for input in [
        Value::Null,
        json!(""),
        json!("not JSON"),
        json!("null"),
        json!("[]"),
        json!("{}"),
        json!(json!({"bot": "spooky-days", "slot": 1}).to_string()),
        json!(json!({"bot": "spooky-days", "date": "2026-10-30"}).to_string()),
        json!(json!({"bot": 7, "slot": 1, "date": "2026-10-30"}).to_string()),
        json!(json!({"bot": "spooky-days", "slot": -1, "date": "2026-10-30"}).to_string()),
        json!(json!({"bot": "spooky-days", "slot": 1, "date": "Friday"}).to_string()),
        json!(json!({"bot": "spooky-days", "slot": 1, "scheduledTime": "<aws.scheduler.scheduled-time>"}).to_string()),
    ] {
        let change = json!({"input": input});
        let output = archive.tell(event(&run, &change)).await.unwrap();
        assert_eq!(output.outcome, "failed", "{input}");
        assert!(!output.recorded, "{input}");
    }
    // EventBridge leaves out what is too long for it.
    let mut absent = event(&run, &json!({}));
    let detail = absent["detail"].as_object_mut().unwrap();
    detail.retain(|field, _| ["executionArn", "status"].contains(&field.as_str()));
    let output = archive.tell(absent).await.unwrap();
    assert_eq!((output.outcome, output.recorded), ("failed", false));
    assert_eq!(archive.items().await.unwrap(), 0);
}

#[tokio::test]
async fn a_scheduled_time_near_midnight_finds_the_slot_of_the_bots_own_date() {
    let archive = Archive::new().await.unwrap();
    for (i, (time, date)) in [
        // New York, the evening before.
        ("2026-10-31T03:30:00Z", "2026-10-30"),
        ("2026-10-31T04:30:00Z", "2026-10-31"),
        // Auckland, the morning after.
        ("2026-11-02T11:30:00Z", "2026-11-03"),
        ("2027-01-01T00:30:00Z", "2026-12-31"),
        ("2028-02-29T12:30:00Z", "2028-03-01"),
        ("2029-10-31T00:30:00+02:00", "2029-10-30"),
    ]
    .into_iter()
    .enumerate()
    {
        let run = archive.run(&format!("run-{i}"));
        let post = format!("spooky-days/{date}/1");
        archive.claim(&post, &run).await.unwrap();
        let input = json!({"bot": "spooky-days", "slot": 1, "scheduledTime": time}).to_string();
        let output = archive
            .tell(event(&run, &json!({"input": input})))
            .await
            .unwrap();
        assert!(output.recorded, "{time}");
        let record = archive.record(&post).await.unwrap().unwrap();
        assert!(record.failure.is_some(), "{time}");
    }
}

#[tokio::test]
async fn the_same_date_and_time_of_another_bot_or_slot_is_another_record() {
    let archive = Archive::new().await.unwrap();
    let (run, other) = (archive.run("a"), archive.run("b"));
    archive.claim(POST, &run).await.unwrap();
    archive
        .claim("spooky-days/2026-10-30/2", &other)
        .await
        .unwrap();
    archive
        .claim("other-days/2026-10-30/1", &other)
        .await
        .unwrap();
    assert!(
        archive
            .tell(event(&run, &json!({})))
            .await
            .unwrap()
            .recorded
    );
    for post in ["spooky-days/2026-10-30/2", "other-days/2026-10-30/1"] {
        let record = archive.record(post).await.unwrap().unwrap();
        assert_eq!(record.failure, None, "{post}");
    }
}

#[tokio::test]
async fn what_is_missing_or_down_has_its_name() {
    let archive = Archive::new().await.unwrap();
    let run = archive.run("a");
    let config = Config {
        table_name: "no-such-table".to_owned(),
    };
    let nowhere = Clients::new(&archive.aws, &config);
    for input in [end(&run, &json!({})), event(&run, &json!({}))] {
        let (name, message) = told(
            record_result(&nowhere, now(), read(input))
                .await
                .unwrap_err(),
        );
        assert_eq!(name, "Unexpected", "{message}");
        assert!(message.contains("ResourceNotFoundException"), "{message}");
    }

    let broken = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(503))
        .mount(&broken)
        .await;
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let refusing = MockServer::start().await;
    let denied = json!({"__type": "AccessDeniedException", "message": "not allowed"});
    Mock::given(any())
        .respond_with(ResponseTemplate::new(400).set_body_json(denied))
        .mount(&refusing)
        .await;
    let throttling = MockServer::start().await;
    let throttled = json!({"__type": "ThrottlingException", "message": "Rate exceeded"});
    Mock::given(any())
        .respond_with(ResponseTemplate::new(400).set_body_json(throttled))
        .mount(&throttling)
        .await;
    for (endpoint, expected) in [
        (broken.uri(), "ServiceUnavailable"),
        (throttling.uri(), "ServiceUnavailable"),
        (nobody, "ServiceUnavailable"),
        (refusing.uri(), "Unexpected"),
    ] {
        // The SDK's own short retries would only make this slow.
        let elsewhere = archive
            .aws
            .to_builder()
            .endpoint_url(endpoint.clone())
            .retry_config(RetryConfig::disabled())
            .build();
        let elsewhere = Clients::new(&elsewhere, &archive.config);
        let no_table = Clients {
            sfn: archive.clients.sfn.clone(),
            ..elsewhere.clone()
        };
        let no_history = Clients {
            table: archive.clients.table.clone(),
            ..elsewhere
        };
        for (clients, service, input) in [
            (&no_table, "DynamoDB", end(&run, &json!({}))),
            (&no_table, "DynamoDB", event(&run, &json!({}))),
            (&no_history, "Step Functions", event(&run, &json!({}))),
        ] {
            let recorded = record_result(clients, now(), read(input)).await;
            let (name, message) = told(recorded.unwrap_err());
            assert_eq!(name, expected, "{service} {endpoint}: {message}");
            assert!(message.contains(service), "{message}");
        }
    }
}

proptest! {
    // Each case talks to the emulator.
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn failures_in_any_order_leave_the_last_one(
        order in Just(vec![0_u64, 0, 1, 2, 2, 3]).prop_shuffle()
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let failure = runtime.block_on(async {
            let archive = Archive::new().await.unwrap();
            let run = archive.run("a");
            archive.claim(POST, &run).await.unwrap();
            for redrive in order {
                let change = json!({
                    "redriveCount": redrive,
                    "error": format!("Error{redrive}"),
                    "stopDate": 1_793_361_600_000 + redrive,
                });
                archive.tell(event(&run, &change)).await.unwrap();
            }
            archive.record(POST).await.unwrap().unwrap().failure.unwrap()
        });
        prop_assert_eq!(failure.redrive_count, 3);
        prop_assert_eq!(failure.error.as_deref(), Some("Error3"));
        prop_assert_eq!(failure.at.as_millisecond(), 1_793_361_600_003);
    }
}

#[tokio::test]
async fn the_function_as_it_is_deployed_names_what_its_input_lacks() {
    let rows = [
        (json!({}), "execution"),
        (json!(null), "input cannot be read"),
        (json!({"execution": "arn"}), "day"),
        (
            json!({"execution": "arn", "day": {"status": "picked"}}),
            "post",
        ),
        (
            json!({"execution": "arn", "day": {"status": "picked", "post": POST}, "tweet": {}}),
            "status",
        ),
        (json!({"detail": {}}), "executionArn"),
        (json!({"detail": {"executionArn": "arn"}}), "status"),
        (json!({"detail": null}), "null"),
    ];
    let payloads = rows.clone().map(|(payload, _)| payload);
    let answers = answered(&payloads).await.unwrap();
    assert_eq!(answers.len(), rows.len());
    for ((payload, says), answer) in rows.into_iter().zip(answers) {
        assert_eq!(answer["errorType"], "InvalidInput", "{payload}: {answer}");
        let message = answer["errorMessage"].as_str().unwrap();
        assert!(message.contains(says), "{payload}: {message}");
    }
}

#[test]
fn without_its_environment_the_function_ends_and_names_the_variable() {
    let output = Command::new(env!("CARGO_BIN_EXE_record-result"))
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("TABLE_NAME"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
