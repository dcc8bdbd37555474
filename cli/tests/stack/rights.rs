//! The permissions of each function: docs/rights.md, the policies and the emulator must agree.

use std::{collections::BTreeMap, future::Future, pin::Pin};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

use crate::PREFIX;

const DOCUMENT: &str = include_str!("../../../docs/rights.md");

/// The names of all functions.
const FUNCTIONS: [&str; 9] = [
    "build-prompt",
    "generate-image",
    "pick-day",
    "post-tweet",
    "record-result",
    "request-approval",
    "review",
    "store-image",
    "watchdog",
];

/// Action and resource of each row of the table, by function.
type Rights = BTreeMap<String, Vec<(String, String)>>;

/// The table of docs/rights.md.
fn table() -> Rights {
    let mut rights: Rights = FUNCTIONS.map(|name| (name.to_owned(), Vec::new())).into();
    // The only bot in bots/.
    let document = DOCUMENT.replace("<bot>", "spooky-days");
    let rows = document.lines().filter(|line| line.starts_with("| `"));
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let names = |cell: &str| -> Vec<String> {
            cell.split(", ")
                .map(|name| name.trim_matches('`').to_owned())
                .collect()
        };
        let [function, actions, resources, _] = cells[..] else {
            panic!("docs/rights.md: {row}");
        };
        let function = function.trim_matches('`');
        let Some(rights) = rights.get_mut(function) else {
            panic!("docs/rights.md: unknown function {function}");
        };
        for action in names(actions) {
            for resource in names(resources) {
                rights.push((action.clone(), resource));
            }
        }
    }
    rights.values_mut().for_each(|rights| rights.sort());
    rights
}

/// The name of an ARN's resource in the table.
fn resource_name(arn: &str) -> String {
    let images = format!("arn:aws:s3:::{PREFIX}-000000000000-images");
    let bot_files = format!("arn:aws:s3:::{PREFIX}-000000000000-bot-files");
    let after = |prefix: &str| arn.rsplit_once(prefix).map(|(_, rest)| rest.to_owned());
    if let Some(rest) = arn.strip_prefix(&images) {
        return format!("images{rest}");
    }
    if let Some(rest) = arn.strip_prefix(&bot_files) {
        return format!("bot files{rest}");
    }
    if arn.ends_with(&format!(":table/{PREFIX}")) {
        return "table".to_owned();
    }
    if let Some(rest) = after(&format!(":secret:{PREFIX}/")) {
        return format!("secret {}", rest.rsplit_once('-').unwrap().0);
    }
    if arn.ends_with(&format!(":execution:{PREFIX}:*")) {
        return "executions".to_owned();
    }
    if arn.ends_with(&format!(":stateMachine:{PREFIX}")) {
        return "state machine".to_owned();
    }
    if arn.contains(&format!(":{PREFIX}-")) && arn.ends_with("-dead-letters") {
        return "dead letters".to_owned();
    }
    if arn.contains(":identity/") {
        return "mail identities".to_owned();
    }
    arn.to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        other => serde_json::from_value(other.clone()).unwrap(),
    }
}

/// Action and resource of each statement of a policy, named as in the table, without logs and traces, which every function
/// may write.
fn allowed(policy: &Value) -> Vec<(String, String)> {
    let policy: Value = serde_json::from_str(policy.as_str().unwrap()).unwrap();
    let mut rights = Vec::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        // Every function may write its log and its traces.
        let resources = texts(&statement["Resource"]);
        let mut actions = texts(&statement["Action"]);
        actions.sort();
        match actions[..] {
            [ref create, ref put]
                if create == "logs:CreateLogStream" && put == "logs:PutLogEvents" =>
            {
                assert_eq!(resources.len(), 1);
                assert!(
                    resources[0].ends_with(":*")
                        && resources[0].contains(":log-group:/aws/lambda/")
                );
                continue;
            }
            [ref records, ref segments]
                if records == "xray:PutTelemetryRecords" && segments == "xray:PutTraceSegments" =>
            {
                continue;
            }
            _ => {}
        }
        for action in texts(&statement["Action"]) {
            assert!(!action.contains('*'), "{action}");
            for resource in texts(&statement["Resource"]) {
                assert_ne!(resource, "*", "{action}");
                rights.push((action.clone(), resource_name(&resource)));
            }
        }
    }
    rights.sort();
    rights.dedup();
    rights
}

/// The table lists exactly the permissions in the policies.
pub fn compare_the_table_with_the_policies(state: &BTreeMap<String, Value>) {
    for (function, rights) in table() {
        let address = format!("module.function[\"{function}\"].aws_iam_role_policy.this");
        assert_eq!(
            rights,
            allowed(&state[&address]["policy"]),
            "docs/rights.md: {function}"
        );
        // The role has no other policy.
        let role = format!("{PREFIX}-{function}");
        let policies = state.iter().filter(|(address, values)| {
            address.contains("aws_iam_") && values["role"].as_str() == Some(&role)
        });
        assert_eq!(policies.count(), 1, "{function}");
    }
}

/// What only AWS enforces: the trust policies, the two roles that are not of functions, and the key policy.
pub fn check_what_the_emulator_does_not_enforce(state: &BTreeMap<String, Value>) {
    let policy = |address: &str| -> Value {
        serde_json::from_str(state[address]["policy"].as_str().unwrap()).unwrap()
    };
    let statement = |policy: &Value, sid: &str| -> Value {
        let statements = policy["Statement"].as_array().unwrap();
        let found = statements.iter().find(|statement| statement["Sid"] == sid);
        found
            .unwrap_or_else(|| panic!("no {sid} in {policy}"))
            .clone()
    };
    let fixture = policy("aws_iam_role_policy.service[\"state-machine\"]");
    let invoked = texts(&statement(&fixture, "InvokeTheFunctionsOfTheStates")["Resource"]);
    assert_eq!(invoked.len(), 7);
    assert!(
        invoked.iter().all(|arn| arn.ends_with(":live")),
        "{invoked:?}"
    );
    let token = statement(&fixture, "StoreTheTaskTokenInTheApproval");
    assert_eq!(texts(&token["Action"]), ["dynamodb:UpdateItem"]);
    assert_eq!(
        texts(&statement(&fixture, "InvokeTheFunctionsOfTheStates")["Action"]),
        ["lambda:InvokeFunction"]
    );
    assert_eq!(fixture["Statement"].as_array().unwrap().len(), 4);
    // Only this state machine and these schedules may assume the two roles.
    for (role, service, source) in [
        (
            "aws_iam_role.service[\"state-machine\"]",
            "states.amazonaws.com",
            format!(":stateMachine:{PREFIX}"),
        ),
        (
            "aws_iam_role.service[\"schedules\"]",
            "scheduler.amazonaws.com",
            format!(":schedule-group/{PREFIX}"),
        ),
    ] {
        let trust: Value =
            serde_json::from_str(state[role]["assume_role_policy"].as_str().unwrap()).unwrap();
        let trusted = trust["Statement"].as_array().unwrap();
        assert_eq!(trusted.len(), 1);
        assert_eq!(trusted[0]["Principal"]["Service"], service);
        assert_eq!(
            trusted[0]["Condition"]["StringEquals"]["aws:SourceAccount"],
            "000000000000"
        );
        let arn = trusted[0]["Condition"]["ArnLike"]["aws:SourceArn"]
            .as_str()
            .unwrap();
        assert!(arn.ends_with(&source), "{arn}");
    }
    // Which services may invoke which function.
    for (address, function, principal) in [
        (
            "aws_lambda_permission.failed",
            "record-result",
            "events.amazonaws.com",
        ),
        (
            "aws_lambda_permission.review",
            "review",
            "apigateway.amazonaws.com",
        ),
    ] {
        let permission = &state[address];
        assert_eq!(permission["function_name"], format!("{PREFIX}-{function}"));
        assert_eq!(permission["qualifier"], "live");
        assert_eq!(permission["principal"], principal);
        assert!(!permission["source_arn"].as_str().unwrap().is_empty());
    }
    let permissions = state
        .keys()
        .filter(|address| address.contains("aws_lambda_permission"));
    assert_eq!(permissions.count(), 2);
    let slot = &state["aws_scheduler_schedule.slot[\"spooky-days-1\"]"]["target"][0];
    assert!(
        slot["retry_policy"][0]["maximum_event_age_in_seconds"]
            .as_u64()
            .unwrap()
            < 86_400
    );
    // The alarms watch the metrics that the functions write.
    for (alarm, metric) in [
        ("watchdog-silent", "WatchdogRan"),
        ("watchdog-failures", "WatchdogFailures"),
    ] {
        let alarm = &state[&format!("aws_cloudwatch_metric_alarm.this[\"{alarm}\"]")];
        assert_eq!(
            alarm["namespace"],
            lambda_function::telemetry::namespace(&format!("{PREFIX}-watchdog"))
        );
        assert_eq!(alarm["metric_name"], metric);
    }

    let schedules = policy("aws_iam_role_policy.service[\"schedules\"]");
    let starts = statement(&schedules, "StartExecutions");
    assert_eq!(texts(&starts["Action"]), ["states:StartExecution"]);
    assert!(texts(&starts["Resource"])[0].ends_with(&format!(":stateMachine:{PREFIX}")));
    assert_eq!(schedules["Statement"].as_array().unwrap().len(), 3);

    for function in FUNCTIONS {
        let role = &state[&format!("module.function[\"{function}\"].aws_iam_role.this")];
        let trust: Value =
            serde_json::from_str(role["assume_role_policy"].as_str().unwrap()).unwrap();
        let trusted = &trust["Statement"].as_array().unwrap()[..];
        assert_eq!(trusted.len(), 1);
        assert_eq!(trusted[0]["Principal"]["Service"], "lambda.amazonaws.com");
        let function = &state[&format!("module.function[\"{function}\"].aws_lambda_function.this")];
        assert_eq!(function["tracing_config"][0]["mode"], "Active");
        assert_eq!(function["reserved_concurrent_executions"], -1);
    }
    let fixture = &state["aws_sfn_state_machine.this"];
    assert_eq!(
        fixture["logging_configuration"][0]["include_execution_data"],
        false
    );
    // The state contains no values of secrets.
    assert!(
        !state
            .keys()
            .any(|address| address.contains("secret_version"))
    );
    // Neither the path nor the query of a link is logged.
    let format = state["aws_apigatewayv2_stage.review"]["access_log_settings"][0]["format"]
        .as_str()
        .unwrap();
    for part in ["path", "query", "requestOverride", "header"] {
        assert!(!format.to_lowercase().contains(part), "{format}");
    }
    let key = policy("aws_kms_key.this");
    let users = statement(&key, "PrincipalsOfThisAccountThroughItsServices");
    assert_eq!(
        users["Condition"]["StringEquals"]["kms:CallerAccount"],
        "000000000000"
    );
    for name in ["images", "bot_files"] {
        let encryption =
            &state[&format!("aws_s3_bucket_server_side_encryption_configuration.this[\"{name}\"]")];
        let rule = &encryption["rule"][0]["apply_server_side_encryption_by_default"][0];
        assert_eq!(rule["sse_algorithm"], "aws:kms");
    }
}

/// Credentials of the function's role.
pub async fn assume(aws: &SdkConfig, function: &str) -> SdkConfig {
    let sts = aws_sdk_sts::Client::new(aws);
    let role = format!("arn:aws:iam::000000000000:role/{PREFIX}-{function}");
    let assumed = sts.assume_role().role_arn(role).role_session_name("probe");
    let credentials = assumed.send().await.unwrap().credentials.unwrap();
    let credentials = Credentials::new(
        credentials.access_key_id,
        credentials.secret_access_key,
        Some(credentials.session_token),
        None,
        "role",
    );
    aws.to_builder()
        .credentials_provider(
            aws_credential_types::provider::SharedCredentialsProvider::new(credentials),
        )
        .build()
}

/// The error of a call that was denied. A call that failed for another reason was allowed.
type Answer = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A call that needs one permission of the table.
struct Attempt {
    action: &'static str,
    resource: String,
    call: Box<dyn Fn(&SdkConfig) -> Answer>,
}

macro_rules! attempt {
    ($action:literal, $resource:expr, |$aws:ident| $call:expr) => {
        Attempt {
            action: $action,
            resource: $resource.into(),
            call: Box::new(move |$aws: &SdkConfig| {
                let call = $call;
                Box::pin(async move {
                    match call.send().await {
                        Err(error) => {
                            let error = format!("{error:?}");
                            match error.contains("AccessDenied") {
                                true => Err(error),
                                false => Ok(()),
                            }
                        }
                        Ok(_) => Ok(()),
                    }
                })
            }),
        }
    };
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// The calls that an attacker in control of a function would make.
fn attempts(account: &str) -> Vec<Attempt> {
    let images = format!("{PREFIX}-{account}-images");
    let bot_files = format!("{PREFIX}-{account}-bot-files");
    let fixture = format!("arn:aws:states:us-east-1:{account}:stateMachine:{PREFIX}");
    let execution = format!("arn:aws:states:us-east-1:{account}:execution:{PREFIX}:unknown");
    let mut attempts = vec![
        attempt!("dynamodb:GetItem", "table", |aws| {
            aws_sdk_dynamodb::Client::new(aws)
                .get_item()
                .table_name(PREFIX)
                .key("pk", text("probe"))
                .key("sk", text("probe"))
        }),
        attempt!("dynamodb:PutItem", "table", |aws| {
            aws_sdk_dynamodb::Client::new(aws)
                .put_item()
                .table_name(PREFIX)
                .item("pk", text("probe"))
                .item("sk", text("probe"))
        }),
        attempt!("dynamodb:UpdateItem", "table", |aws| {
            aws_sdk_dynamodb::Client::new(aws)
                .update_item()
                .table_name(PREFIX)
                .key("pk", text("probe"))
                .key("sk", text("probe"))
        }),
        attempt!("dynamodb:DeleteItem", "table", |aws| {
            aws_sdk_dynamodb::Client::new(aws)
                .delete_item()
                .table_name(PREFIX)
                .key("pk", text("probe"))
                .key("sk", text("probe"))
        }),
        attempt!("dynamodb:Query", "table", |aws| {
            aws_sdk_dynamodb::Client::new(aws)
                .query()
                .table_name(PREFIX)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", text("probe"))
        }),
        attempt!("dynamodb:Scan", "table", |aws| {
            aws_sdk_dynamodb::Client::new(aws).scan().table_name(PREFIX)
        }),
        attempt!("dynamodb:DescribeTable", "table", |aws| {
            aws_sdk_dynamodb::Client::new(aws)
                .describe_table()
                .table_name(PREFIX)
        }),
        attempt!("dynamodb:DeleteTable", "table", |aws| {
            aws_sdk_dynamodb::Client::new(aws)
                .delete_table()
                .table_name(PREFIX)
        }),
        attempt!("ses:SendEmail", "mail identities", |aws| {
            let to = aws_sdk_sesv2::types::Destination::builder()
                .to_addresses("alerts@example.org")
                .build();
            aws_sdk_sesv2::Client::new(aws)
                .send_email()
                .from_email_address("spooky-days@example.org")
                .destination(to)
        }),
        attempt!("states:StartExecution", "state machine", |aws| {
            aws_sdk_sfn::Client::new(aws)
                .start_execution()
                .state_machine_arn(fixture.clone())
                .input("not JSON")
        }),
        attempt!("states:SendTaskSuccess", "state machine", |aws| {
            aws_sdk_sfn::Client::new(aws)
                .send_task_success()
                .task_token("unknown")
                .output("{}")
        }),
    ];
    for (action, at) in [
        ("states:DescribeExecution", 0),
        ("states:GetExecutionHistory", 1),
        ("states:StopExecution", 2),
    ] {
        let execution = execution.clone();
        attempts.push(match at {
            0 => attempt!("states:DescribeExecution", "executions", |aws| {
                aws_sdk_sfn::Client::new(aws)
                    .describe_execution()
                    .execution_arn(execution.clone())
            }),
            1 => attempt!("states:GetExecutionHistory", "executions", |aws| {
                aws_sdk_sfn::Client::new(aws)
                    .get_execution_history()
                    .execution_arn(execution.clone())
            }),
            _ => attempt!("states:StopExecution", "executions", |aws| {
                aws_sdk_sfn::Client::new(aws)
                    .stop_execution()
                    .execution_arn(execution.clone())
            }),
        });
        assert_eq!(attempts.last().unwrap().action, action);
    }
    for secret in ["openai", "review", "spooky-days/x-credentials"] {
        let id = format!("{PREFIX}/{secret}");
        let put = id.clone();
        attempts.push(attempt!(
            "secretsmanager:GetSecretValue",
            format!("secret {secret}"),
            |aws| {
                aws_sdk_secretsmanager::Client::new(aws)
                    .get_secret_value()
                    .secret_id(id.clone())
            }
        ));
        attempts.push(attempt!(
            "secretsmanager:PutSecretValue",
            format!("secret {secret}"),
            |aws| {
                aws_sdk_secretsmanager::Client::new(aws)
                    .put_secret_value()
                    .secret_id(put.clone())
                    .secret_string("{}")
            }
        ));
    }
    for (bucket, name, prefixes) in [
        (
            &images,
            "images",
            &["drafts/", "pictures/", "thumbnails/", ""][..],
        ),
        (&bot_files, "bot files", &[""][..]),
    ] {
        for prefix in prefixes {
            let resource = format!("{name}/{prefix}*");
            let key = format!("{prefix}probe");
            let [get, put, delete] = [(); 3].map(|()| (bucket.clone(), key.clone()));
            attempts.push(attempt!("s3:GetObject", resource.clone(), |aws| {
                aws_sdk_s3::Client::new(aws)
                    .get_object()
                    .bucket(&get.0)
                    .key(&get.1)
            }));
            attempts.push(attempt!("s3:PutObject", resource.clone(), |aws| {
                aws_sdk_s3::Client::new(aws)
                    .put_object()
                    .bucket(&put.0)
                    .key(&put.1)
            }));
            attempts.push(attempt!("s3:DeleteObject", resource, |aws| {
                aws_sdk_s3::Client::new(aws)
                    .delete_object()
                    .bucket(&delete.0)
                    .key(&delete.1)
            }));
        }
        let [list, versions] = [(); 2].map(|()| bucket.clone());
        attempts.push(attempt!("s3:ListBucket", name, |aws| {
            aws_sdk_s3::Client::new(aws).list_objects_v2().bucket(&list)
        }));
        attempts.push(attempt!("s3:ListBucketVersions", name, |aws| {
            aws_sdk_s3::Client::new(aws)
                .list_object_versions()
                .bucket(&versions)
        }));
    }
    for function in FUNCTIONS {
        let name = format!("{PREFIX}-{function}");
        attempts.push(attempt!(
            "lambda:InvokeFunction",
            format!("function {function}"),
            |aws| {
                aws_sdk_lambda::Client::new(aws)
                    .invoke()
                    .function_name(&name)
                    .qualifier("live")
                    .invocation_type(aws_sdk_lambda::types::InvocationType::DryRun)
            }
        ));
    }
    attempts
}

/// Makes every call with the role of every function: the emulator allows exactly what the table lists. Returns the number
/// of calls.
pub async fn try_every_function(aws: &SdkConfig, account: &str) -> usize {
    let mut wrong = Vec::new();
    let mut tried = 0;
    let attempts = attempts(account);
    for (function, rights) in table() {
        let as_function = assume(aws, &function).await;
        for attempt in &attempts {
            let right = (attempt.action.to_owned(), attempt.resource.clone());
            let answer = (attempt.call)(&as_function).await;
            tried += 1;
            match (rights.contains(&right), answer) {
                (true, Err(error)) => {
                    wrong.push(format!("{function} is denied {right:?}: {error}"))
                }
                (false, Ok(())) => wrong.push(format!(
                    "{function} is allowed {right:?}, which docs/rights.md does not list"
                )),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    tried
}
