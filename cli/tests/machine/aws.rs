//! The operator's commands against a deployment on AWS: one that only its environment variables lead to, and servers
//! in the place of what no emulator has.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use fakes::{Fault, Kind};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

use crate::{
    approval::Waiting,
    fixture::{BOT, CommandLine, until},
};

const DATE: &str = "2026-10-30";
const POST: &str = "spooky-days/2026-10-30/1";
const ACCOUNT: &str = "123456789012";
const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:daily-post-prod";
const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:execution:daily-post-prod:one";

/// A server in the place of AWS: each operation has its answers, of which the last one stays.
struct Aws {
    server: MockServer,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

struct Answers {
    answers: Mutex<HashMap<String, Vec<(u16, Value)>>>,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        // The bot's files are there.
        if request.method == "HEAD" {
            return ResponseTemplate::new(200);
        }
        let body = String::from_utf8_lossy(&request.body);
        if body.contains("Action=GetCallerIdentity") {
            return match self.answers.lock().unwrap().get("GetCallerIdentity") {
                Some(refusal) => {
                    let (status, error) = &refusal[0];
                    let xml = format!(
                        "<ErrorResponse><Error><Code>{}</Code><Message>no</Message></Error></ErrorResponse>",
                        error.as_str().unwrap()
                    );
                    ResponseTemplate::new(*status).set_body_raw(xml, "text/xml")
                }
                None => ResponseTemplate::new(200).set_body_raw(
                    format!(
                        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                         <Arn>arn:aws:iam::{ACCOUNT}:user/ada</Arn><UserId>A</UserId><Account>{ACCOUNT}</Account>\
                         </GetCallerIdentityResult></GetCallerIdentityResponse>"
                    ),
                    "text/xml",
                ),
            };
        }
        let target = request.headers.get("x-amz-target");
        let target = target.map(|t| t.to_str().unwrap()).unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let asked: Value = serde_json::from_str(&body).unwrap_or_default();
        self.asked
            .lock()
            .unwrap()
            .push((operation.clone(), asked.clone()));
        // Two items of the table are read: the slot's and the switch.
        let name = match asked["Key"]["sk"]["S"].as_str() {
            Some(key) => format!("{operation} {key}"),
            None => operation,
        };
        let mut answers = self.answers.lock().unwrap();
        let Some(left) = answers.get_mut(&name) else {
            return ResponseTemplate::new(500)
                .set_body_json(json!({"__type": "Unexpected", "message": name}));
        };
        let (status, body) = match left.len() {
            1 => left[0].clone(),
            _ => left.remove(0),
        };
        ResponseTemplate::new(status).set_body_json(body)
    }
}

impl Aws {
    async fn answering(answers: Vec<(&str, Vec<(u16, Value)>)>) -> Aws {
        let server = MockServer::start().await;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers = answers
            .into_iter()
            .map(|(name, answers)| (name.to_owned(), answers))
            .collect();
        Mock::given(any())
            .respond_with(Answers {
                answers: Mutex::new(answers),
                asked: asked.clone(),
            })
            .mount(&server)
            .await;
        Aws { server, asked }
    }

    fn cli(&self) -> CommandLine {
        CommandLine::on_aws(&self.server.uri(), ACCOUNT)
    }

    fn asked(&self, operation: &str) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        let of = asked.iter().filter(|(name, _)| name == operation);
        of.map(|(_, body)| body.clone()).collect()
    }
}

fn state_machine() -> (&'static str, Vec<(u16, Value)>) {
    let there = json!({
        "stateMachineArn": MACHINE, "name": "daily-post-prod", "definition": "{}", "roleArn": "arn:role",
        "type": "STANDARD", "creationDate": 1_700_000_000.0,
    });
    ("DescribeStateMachine", vec![(200, there)])
}

fn execution(status: &str, redrives: u32, more: Value) -> (u16, Value) {
    let now = Timestamp::now().as_second();
    let mut there = json!({
        "executionArn": EXECUTION, "stateMachineArn": MACHINE, "name": "one", "status": status,
        "startDate": now - 7200, "redriveCount": redrives, "redriveStatus": "REDRIVABLE",
        "input": json!({"bot": BOT, "slot": 1, "date": DATE}).to_string(),
    });
    if status != "RUNNING" {
        there["stopDate"] = json!(now - 3600);
    }
    for (name, value) in more.as_object().unwrap() {
        there[name] = value.clone();
    }
    (200, there)
}

/// The slot's item, held by the execution and claimed.
fn slot() -> (u16, Value) {
    let item = json!({
        "post": {"S": POST}, "execution": {"S": EXECUTION}, "claimedAt": {"S": "2026-10-30T10:00:00Z"},
        "ledger": {"S": "claimed"}, "approvalRequired": {"BOOL": false},
    });
    (200, json!({"Item": item}))
}

fn history() -> (&'static str, Vec<(u16, Value)>) {
    let input = json!({"draft": {"costUsd": 0.04}}).to_string();
    let event = |id: u32, kind: &str, details: Value| {
        let mut event = json!({"timestamp": 1_761_800_000.0, "type": kind, "id": id, "previousEventId": id - 1});
        for (name, value) in details.as_object().unwrap() {
            event[name] = value.clone();
        }
        event
    };
    let events = json!({"events": [
        event(3, "TaskFailed", json!({"taskFailedEventDetails": {"resourceType": "lambda", "resource": "invoke"}})),
        event(2, "TaskStateEntered", json!({"stateEnteredEventDetails": {"name": "PostTweet", "input": input}})),
    ]});
    ("GetExecutionHistory", vec![(200, events)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_on_aws_is_redriven_by_the_api_after_saying_what_that_means() {
    let failed = execution(
        "FAILED",
        0,
        json!({"error": "Unauthorized", "cause": "X says 401"}),
    );
    let output = json!({"record": {"outcome": "posted"}}).to_string();
    let aws = Aws::answering(vec![
        state_machine(),
        history(),
        ("GetItem slot#1", vec![slot()]),
        ("GetItem switch", vec![(200, json!({}))]),
        (
            "DescribeExecution",
            vec![
                failed.clone(),
                failed.clone(),
                // What AWS says may be old.
                failed,
                execution("RUNNING", 1, json!({})),
                execution("SUCCEEDED", 1, json!({"output": output})),
            ],
        ),
        ("TransactWriteItems", vec![(200, json!({}))]),
        (
            "RedriveExecution",
            vec![(200, json!({"redriveDate": 1_761_800_100.0}))],
        ),
    ])
    .await;
    let printed = aws
        .cli()
        .spooky(&[
            "--env",
            "prod",
            "redrive",
            POST,
            "--by",
            "Ada",
            "--reason",
            "the keys are fixed",
        ])
        .await;
    for part in [
        "failed in PostTweet: Unauthorized X says 401",
        "Already paid: $0.04",
        "May cost:     $0.02",
        "is not too late",
    ] {
        assert!(printed.err.contains(part), "{part}: {}", printed.err);
    }
    assert_eq!(printed.ok(), format!("{POST}: posted"));
    let redriven = aws.asked("RedriveExecution");
    assert_eq!(redriven.len(), 1);
    assert_eq!(redriven[0]["executionArn"], EXECUTION);
    // Who and why is on record before, on condition that the execution has the slot.
    let written = &aws.asked("TransactWriteItems")[0]["TransactItems"];
    let update = &written[0]["Update"];
    assert_eq!(update["TableName"], "daily-post-prod");
    assert_eq!(update["ConditionExpression"], "execution = :from");
    assert_eq!(update["ExpressionAttributeValues"][":from"]["S"], EXECUTION);
    assert_eq!(update["ExpressionAttributeValues"][":to"]["S"], EXECUTION);
    let line = &written[1]["Put"]["Item"]["details"]["M"];
    assert_eq!(line["by"]["S"], "Ada");
    assert_eq!(line["reason"]["S"], "the keys are fixed");
    // Nothing is started, and no machine of a continuation is made.
    assert!(aws.asked("StartExecution").is_empty());
    assert!(aws.asked("CreateStateMachine").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_cannot_redrive_is_said_in_words_with_what_to_do_instead() {
    let refused = |reason: &str| {
        let more = json!({"redriveStatus": "NOT_REDRIVABLE", "redriveStatusReason": reason});
        execution("FAILED", 0, more)
    };
    let old = Timestamp::now().checked_sub(SignedDuration::from_hours(15 * 24));
    let old = json!({"stopDate": old.unwrap().as_second()});
    for (described, says) in [
        (
            execution("RUNNING", 0, json!({})),
            "is running; type `spooky show",
        ),
        (execution("SUCCEEDED", 0, json!({})), "did not fail"),
        (
            execution("FAILED", 0, old),
            "more than 14 days ago and cannot be redriven; type `spooky run --again",
        ),
        (
            refused("Execution history event limit exceeded"),
            "AWS cannot redrive arn:aws:states:us-east-1:123456789012:execution:daily-post-prod:one: \
             Execution history event limit exceeded; type `spooky run --again",
        ),
    ] {
        let aws = Aws::answering(vec![
            state_machine(),
            history(),
            ("GetItem slot#1", vec![slot()]),
            ("GetItem switch", vec![(200, json!({}))]),
            ("DescribeExecution", vec![described]),
        ])
        .await;
        let printed = aws
            .cli()
            .with("SPOOKY_ENV", "prod")
            .spooky(&["redrive", POST])
            .await;
        assert_eq!(printed.code, Some(1));
        assert!(
            printed.err.contains("nothing was redriven"),
            "{}",
            printed.err
        );
        assert!(printed.err.contains(says), "{says}: {}", printed.err);
        assert!(aws.asked("RedriveExecution").is_empty());
        assert!(aws.asked("TransactWriteItems").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_that_another_operator_was_faster_with_is_reported() {
    let refusal = json!({"__type": "ExecutionNotRedrivable", "message": "Execution is RUNNING and cannot be redriven"});
    let aws = Aws::answering(vec![
        state_machine(),
        history(),
        ("GetItem slot#1", vec![slot()]),
        ("GetItem switch", vec![(200, json!({}))]),
        ("DescribeExecution", vec![execution("FAILED", 0, json!({}))]),
        ("TransactWriteItems", vec![(200, json!({}))]),
        ("RedriveExecution", vec![(400, refusal)]),
    ])
    .await;
    let printed = aws.cli().spooky(&["redrive", POST, "--env", "prod"]).await;
    assert_eq!(printed.code, Some(1));
    assert!(
        printed.err.contains("Execution is RUNNING"),
        "{}",
        printed.err
    );
    assert!(printed.err.contains("spooky show"), "{}", printed.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_environments_credentials_and_rights_say_what_to_do() {
    let gone =
        json!({"__type": "StateMachineDoesNotExist", "message": "State Machine Does Not Exist"});
    let aws = Aws::answering(vec![("DescribeStateMachine", vec![(400, gone)])]).await;
    let printed = aws
        .cli()
        .spooky(&["status", "--env", "prodd"])
        .await
        .refused();
    assert!(
        printed.contains(
            "there is no deployment daily-post-prodd in the account 123456789012, region us-east-1"
        ),
        "{printed}"
    );

    for (code, fix) in [
        ("ExpiredToken", "sign in again"),
        ("InvalidClientTokenId", "credentials are invalid"),
    ] {
        let aws = Aws::answering(vec![("GetCallerIdentity", vec![(403, json!(code))])]).await;
        let printed = aws
            .cli()
            .spooky(&["status", "--env", "prod"])
            .await
            .refused();
        assert!(printed.contains(code) && printed.contains(fix), "{printed}");
    }

    let denied = json!({
        "__type": "AccessDeniedException",
        "message": "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: dynamodb:GetItem on resource: daily-post-prod",
    });
    let aws = Aws::answering(vec![
        state_machine(),
        ("GetItem switch", vec![(400, denied)]),
    ])
    .await;
    let printed = aws
        .cli()
        .spooky(&["status", "--env", "prod"])
        .await
        .refused();
    for part in ["dynamodb:GetItem", "allow the named action", "docs/cli.md"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }

    let cli = || CommandLine::on_aws("http://127.0.0.1:9", ACCOUNT);
    for (cli, arguments, code, says) in [
        (
            cli()
                .with("AWS_ACCESS_KEY_ID", "")
                .with("AWS_SECRET_ACCESS_KEY", ""),
            vec!["runs", "--env", "prod"],
            1,
            "no AWS credentials were found",
        ),
        (
            cli().with("AWS_REGION", ""),
            vec!["runs", "--env", "prod"],
            1,
            "set AWS_REGION",
        ),
        (
            cli(),
            vec!["runs", "--env", "Prod"],
            2,
            "lowercase letters and digits",
        ),
        (
            cli().with("SPOOKY_ENV", "a/b"),
            vec!["runs"],
            1,
            "SPOOKY_ENV",
        ),
        (cli(), vec!["runs", "--profile", "me"], 1, "add --env"),
        (
            cli(),
            vec!["calendar", "check", "--env", "prod"],
            1,
            "omit --env and --profile",
        ),
        (cli(), vec!["runs"], 1, "start it with `cargo run -- local`"),
    ] {
        let printed = cli.spooky(&arguments).await;
        assert_eq!(printed.code, Some(code), "{arguments:?}: {printed:?}");
        assert!(printed.err.contains(says), "{arguments:?}: {}", printed.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_works_on_a_deployment_that_only_the_environment_leads_to() {
    let waiting = Waiting::new(&[]).await;
    let fixture = &waiting.fixture;
    let cli = CommandLine::on_aws(fixture.account.url(), fixture.account.id())
        .with("SPOOKY_ENV", "local");
    let spooky = async |arguments: &[&str]| cli.spooky(arguments).await;

    let listed = spooky(&["approvals", "--json"]).await.json();
    assert_eq!(listed[0]["post"], POST);
    spooky(&["regenerate", POST, "--note", "more bats"])
        .await
        .ok();
    waiting.waits(2).await;
    let printed = spooky(&["approve", POST, "--caption", "More bats."])
        .await
        .ok();
    assert!(printed.contains("approved by operator"), "{printed}");
    waiting.ends().await;
    assert_eq!(fixture.x.tweets()[0].text, "More bats.");
    let shown = spooky(&["show", POST, "--json"]).await.json();
    assert_eq!(shown["outcome"], "posted");
    let shown = spooky(&["show", &waiting.execution, "--json"]).await.json();
    assert_eq!(shown["status"], "SUCCEEDED");
    let runs = spooky(&["runs", "--json"]).await.json();
    assert_eq!(runs[0]["execution"], waiting.execution.as_str());
    let printed = spooky(&["redrive", POST]).await.refused();
    assert!(printed.contains("is posted"), "{printed}");

    fixture
        .edit_bot(&[("policy = \"required\"", "policy = \"off\"")])
        .await;
    let ran = spooky(&["run", "--date", "2026-12-24", "--json"])
        .await
        .json();
    assert_eq!(ran["output"]["record"]["outcome"], "posted");

    fixture.x.fail(Fault::once(
        "create-tweet",
        Kind::Hidden { reads: u32::MAX },
    ));
    assert_eq!(
        fixture.run_date("2026-12-23").await.error.as_deref(),
        Some("Unconfirmed")
    );
    let printed = spooky(&["status", "--json"]).await.json();
    assert_eq!(printed["armed"][0]["post"], "spooky-days/2026-12-23/1");
    let id = fixture.x.tweets().last().unwrap().id.clone();
    spooky(&["attach", "spooky-days/2026-12-23/1", &id])
        .await
        .ok();

    fixture
        .x
        .fail(Fault::always("upload", Kind::Html { status: 500 }));
    fixture.run_date("2026-12-22").await;
    fixture.failed_record("2026-12-22").await;
    fixture.x.clear_faults();
    let again = [
        "run",
        "--again",
        "spooky-days/2026-12-22/1",
        "--reason",
        "x",
        "--json",
    ];
    assert_eq!(
        spooky(&again).await.json()["output"]["record"]["outcome"],
        "posted"
    );
    let printed = spooky(&["allow-late", "spooky-days/2026-12-22/1", "--reason", "x"]).await;
    assert!(printed.refused().contains("is posted"));

    spooky(&["pause", "--reason", "a storm"]).await.ok();
    let printed = spooky(&["status"]).await.ok();
    assert!(printed.contains("paused by operator: a storm"), "{printed}");
    spooky(&["resume"]).await.ok();

    let run = async {
        spooky(&["run", "--date", "2026-12-21", "--json"])
            .await
            .json()
    };
    fixture.edit_bot(&[]).await;
    let reject = async {
        until("the approval", async || {
            let listed = spooky(&["approvals", "--json"]).await.json();
            let there = listed
                .as_array()?
                .iter()
                .any(|a| a["post"] == "spooky-days/2026-12-21/1");
            there.then_some(())
        })
        .await;
        let arguments = ["reject", "spooky-days/2026-12-21/1", "--reason", "no"];
        until("the rejection", async || {
            (spooky(&arguments).await.code == Some(0)).then_some(())
        })
        .await;
    };
    let (ran, ()) = tokio::join!(run, reject);
    assert_eq!(ran["output"]["record"]["outcome"], "rejected");
}
