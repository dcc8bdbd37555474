//! Holds `daily-post.asl.json` against the functions: a renamed error must break the build, not a retry.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

use std::collections::BTreeMap;

use serde_json::Value;
use strum::VariantNames;

const DEFINITION: &str = include_str!("../daily-post.asl.json");
const FUNCTIONS: &str = include_str!("../../functions/functions.json");
const RUNBOOK: &str = include_str!("../../docs/runbook.md");

/// Errors of the platform that are safe to repeat, since every state may be entered again.
const PLATFORM: [&str; 7] = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
];

fn errors() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("build-prompt", build_prompt::Error::VARIANTS),
        ("generate-image", generate_image::Error::VARIANTS),
        ("pick-day", pick_day::Error::VARIANTS),
        ("post-tweet", post_tweet::Error::VARIANTS),
        ("record-result", record_result::Error::VARIANTS),
        ("request-approval", request_approval::Error::VARIANTS),
        ("store-image", store_image::Error::VARIANTS),
    ])
}

fn definition() -> Value {
    serde_json::from_str(DEFINITION).unwrap()
}

/// Every Task state of a function, with its name and its function.
fn tasks(definition: &Value) -> Vec<(String, String, Value)> {
    let states = definition["States"].as_object().unwrap();
    states
        .iter()
        .filter(|(_, state)| state["Resource"] == "arn:aws:states:::lambda:invoke")
        .map(|(name, state)| {
            let placeholder = state["Arguments"]["FunctionName"].as_str().unwrap();
            let function = placeholder
                .strip_prefix("${")
                .and_then(|p| p.strip_suffix("_function_arn}"))
                .unwrap()
                .replace('_', "-");
            (name.clone(), function, state.clone())
        })
        .collect()
}

fn names(entry: &Value) -> Vec<&str> {
    entry["ErrorEquals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_str().unwrap())
        .collect()
}

fn list<'a>(state: &'a Value, field: &str) -> Vec<&'a Value> {
    state[field]
        .as_array()
        .map(|list| list.iter().collect())
        .unwrap_or_default()
}

#[test]
fn the_language_is_set_once_and_the_engine_of_aws_understands_it() {
    let definition = definition();
    assert_eq!(definition["QueryLanguage"], "JSONata");
    // AWS runs JSONata 2.0.6, without these; Terraform's templates read the last two themselves.
    for wrong in ["??", "?:", "$eval(", "\"Assign\"", "%{"] {
        assert!(!DEFINITION.contains(wrong), "{wrong}");
    }
    // One for each function, and the table.
    assert_eq!(
        DEFINITION.matches("${").count(),
        tasks(&definition).len() + 1
    );
    assert_eq!(DEFINITION.matches("${table_name}").count(), 1);
}

#[test]
fn every_state_is_named_like_its_function_and_every_function_is_described() {
    let described: BTreeMap<String, Value> = serde_json::from_str(FUNCTIONS).unwrap();
    let definition = definition();
    let mut used: Vec<String> = Vec::new();
    for (state, function, _) in tasks(&definition) {
        let pascal: String = function
            .split('-')
            .map(|word| word[..1].to_uppercase() + &word[1..])
            .collect();
        assert_eq!(state, pascal);
        used.push(function);
    }
    used.sort();
    let mut states: Vec<String> = described.into_keys().collect();
    // Not states, and named by nouns.
    states.retain(|name| name != "review" && name != "watchdog");
    assert_eq!(used, states);
    assert_eq!(used, errors().keys().copied().collect::<Vec<_>>());
}

#[test]
fn every_error_name_is_one_of_the_function_or_of_the_platform() {
    let errors = errors();
    for (state, function, task) in tasks(&definition()) {
        for entry in list(&task, "Retry").into_iter().chain(list(&task, "Catch")) {
            for name in names(entry) {
                assert!(
                    errors[function.as_str()].contains(&name) || PLATFORM.contains(&name),
                    "{state} names {name}, which {function} does not have"
                );
            }
        }
        // What the platform may do to a function happens to every function.
        let retried: Vec<&str> = list(&task, "Retry").into_iter().flat_map(names).collect();
        assert!(
            PLATFORM.iter().all(|name| retried.contains(name)),
            "{state}"
        );
    }
}

#[test]
fn every_error_of_a_function_is_told_in_words_of_its_own() {
    for (function, errors) in errors() {
        for error in errors {
            assert!(
                notifications::knows(error),
                "{function}: crates/notifications/src/words.rs has no words for {error}"
            );
        }
    }
    assert!(PLATFORM.iter().all(|error| notifications::knows(error)));
    assert!(!notifications::knows("Brand.New"));
}

#[test]
fn the_runbook_has_every_notice_and_every_error() {
    let headings: Vec<&str> = RUNBOOK
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .flat_map(|heading| heading.split(", "))
        .collect();
    for kind in notifications::Kind::VARIANTS {
        assert!(headings.contains(kind), "docs/runbook.md has no {kind}");
    }
    // A row of the table begins with the names that it is about.
    let rows: Vec<&str> = RUNBOOK
        .lines()
        .filter(|line| line.starts_with("| "))
        .filter_map(|line| line.split(" | ").next())
        .collect();
    for (function, errors) in errors() {
        for error in errors {
            assert!(
                rows.iter().any(|row| row.contains(&format!("`{error}`"))),
                "docs/runbook.md has no row for {error} of {function}"
            );
        }
    }
}

#[test]
fn every_function_is_told_what_its_log_is_to_name() {
    for (state, _, task) in tasks(&definition()) {
        let payload = task["Arguments"]["Payload"].as_str().unwrap();
        for field in [
            "'execution': $states.context.Execution.Id",
            "'attempt': $states.context.State.RetryCount + 1",
        ] {
            assert!(payload.contains(field), "{state} is not told {field}");
        }
    }
}

#[test]
fn a_state_waits_a_little_longer_than_its_function() {
    let described: Value = serde_json::from_str(FUNCTIONS).unwrap();
    for (state, function, task) in tasks(&definition()) {
        let (state_s, function_s) = (
            task["TimeoutSeconds"].as_u64().unwrap(),
            described[&function]["timeoutSeconds"].as_u64().unwrap(),
        );
        assert!(
            state_s > function_s && state_s <= function_s + 20,
            "{state}"
        );
    }
}

#[test]
fn only_business_outcomes_are_caught() {
    let definition = definition();
    let states = definition["States"].as_object().unwrap();
    for (name, state) in states {
        let caught: Vec<&str> = list(state, "Catch").into_iter().flat_map(names).collect();
        match name.as_str() {
            "GenerateImage" => assert_eq!(caught, ["PromptRejected", "OverBudget"]),
            // A decision is there, or the time is over: RequestApproval says which.
            "AwaitApproval" => assert_eq!(
                caught,
                ["DynamoDb.ConditionalCheckFailedException", "States.Timeout"]
            ),
            _ => assert!(caught.is_empty(), "{name} catches {caught:?}"),
        }
        assert_ne!(state["Type"], "Fail", "{name}");
    }
}

#[test]
fn the_wait_for_an_approval_is_longer_than_any_deadline_and_the_execution_longer_than_all_rounds() {
    // The watchdog comes by every quarter of an hour.
    const WATCHDOG_SECONDS: i64 = 15 * 60;
    let definition = definition();
    let state = &definition["States"]["AwaitApproval"];
    let wait = state["TimeoutSeconds"].as_i64().unwrap();
    assert!(wait > bot_files::MAX_DEADLINE.as_secs() + 2 * WATCHDOG_SECONDS);
    assert_eq!(state["Catch"][0]["Next"], "RequestApproval");
    let whole = definition["TimeoutSeconds"].as_i64().unwrap();
    assert!(whole > i64::from(posts_table::MAX_ROUNDS) * wait);
    // The token is stored in the approval's item, and only while there is no decision.
    let arguments = &state["Arguments"];
    assert_eq!(
        arguments["ConditionExpression"],
        "attribute_exists(pk) AND attribute_not_exists(decision)"
    );
    assert_eq!(arguments["UpdateExpression"], "SET taskToken = :token");
    assert_eq!(DEFINITION.matches("Task.Token").count(), 1);
}

#[test]
fn the_waits_of_post_tweet_outlast_a_lease_and_all_looks() {
    const LEASE_SECONDS: u64 = 90;
    let definition = definition();
    let retriers = list(&definition["States"]["PostTweet"], "Retry");
    let retrier = retriers[0];
    assert_eq!(names(retrier), ["PostInFlight", "OutcomeUnknown"]);
    assert_eq!(retrier["BackoffRate"], 1.0);
    assert!(retrier.get("JitterStrategy").is_none());
    let interval = retrier["IntervalSeconds"].as_u64().unwrap();
    let waits = interval * retrier["MaxAttempts"].as_u64().unwrap();
    assert!(waits >= LEASE_SECONDS + interval * (u64::from(posts_table::MAX_RECONCILIATIONS) + 1));
    let described: Value = serde_json::from_str(FUNCTIONS).unwrap();
    assert!(described["post-tweet"]["timeoutSeconds"].as_u64().unwrap() < LEASE_SECONDS);
    let retried: Vec<&str> = retriers.into_iter().flat_map(names).collect();
    for never in [
        "Unconfirmed",
        "TweetRejected",
        "DuplicateTweet",
        "NotApproved",
        "States.ALL",
    ] {
        assert!(!retried.contains(&never), "{never}");
    }
}
