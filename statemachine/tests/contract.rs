//! Compares `daily-post.asl.json` with the functions, the error catalog, the functions' READMEs and the runbook: a
//! renamed error fails this test, and not a retry in production.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

use std::collections::BTreeMap;

use post::{ErrorName, Remedy, TaskState};
use serde_json::Value;
use strum::{VariantArray, VariantNames};

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

/// Every Task state, with its name.
fn task_states(definition: &Value) -> Vec<(TaskState, Value)> {
    let states = definition["States"].as_object().unwrap();
    TaskState::VARIANTS
        .iter()
        .map(|state| (*state, states[<&str>::from(state)].clone()))
        .collect()
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
    // AWS runs JSONata 2.0.6, which lacks these; Terraform's templates interpret the last two.
    for wrong in ["??", "?:", "$eval(", "\"Assign\"", "%{"] {
        assert!(!DEFINITION.contains(wrong), "{wrong}");
    }
    // One placeholder for each function, and one for the table.
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
    // These are not states, and are named by nouns.
    states.retain(|name| name != "review" && name != "watchdog");
    assert_eq!(used, states);
    assert_eq!(used, errors().keys().copied().collect::<Vec<_>>());
}

#[test]
fn every_task_state_is_in_the_catalog() {
    let definition = definition();
    let states = definition["States"].as_object().unwrap();
    let tasks = states.values().filter(|state| state["Type"] == "Task");
    // `task_states` finds each state of the catalog.
    assert_eq!(task_states(&definition).len(), tasks.count());
}

#[test]
fn every_error_name_of_a_state_is_one_of_its_function_or_of_the_platform() {
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
        // The errors of the platform can happen to every function.
        let retried: Vec<&str> = list(&task, "Retry").into_iter().flat_map(names).collect();
        assert!(
            PLATFORM.iter().all(|name| retried.contains(name)),
            "{state}"
        );
    }
}

#[test]
fn every_error_of_a_function_and_of_a_state_is_in_the_catalog() {
    for (function, errors) in errors() {
        for error in errors {
            assert!(
                <ErrorName as VariantNames>::VARIANTS.contains(error),
                "{function}: crates/post/src/errors.rs does not have {error}"
            );
        }
    }
    for (state, task) in task_states(&definition()) {
        for entry in list(&task, "Retry").into_iter().chain(list(&task, "Catch")) {
            for name in names(entry) {
                let cataloged = ErrorName::of(name);
                assert!(
                    cataloged.is_some(),
                    "{state}: the catalog does not have {name}"
                );
            }
        }
    }
}

/// The catalog's names in a field of each state, `Retry` or `Catch`, in the order of the states and of the catalog.
fn in_field(field: &str) -> Vec<(TaskState, ErrorName)> {
    let mut found = Vec::new();
    let definition = definition();
    for (state, task) in task_states(&definition) {
        let names: Vec<ErrorName> = list(&task, field)
            .into_iter()
            .flat_map(names)
            .filter_map(ErrorName::of)
            .collect();
        found.extend(in_order(|error| names.contains(&error)).map(|error| (state, error)));
    }
    found
}

fn in_order(is_in: impl Fn(ErrorName) -> bool) -> impl Iterator<Item = ErrorName> {
    ErrorName::ALL
        .iter()
        .copied()
        .filter(move |error| is_in(*error))
}

#[test]
fn the_catalog_names_the_states_that_retry_and_catch_each_error() {
    let states = TaskState::VARIANTS.iter().copied();
    let cataloged = |by: fn(ErrorName) -> &'static [TaskState]| -> Vec<(TaskState, ErrorName)> {
        states
            .clone()
            .flat_map(|state| {
                in_order(move |error| by(error).contains(&state)).map(move |error| (state, error))
            })
            .collect()
    };
    assert_eq!(in_field("Retry"), cataloged(ErrorName::retried_by));
    assert_eq!(in_field("Catch"), cataloged(ErrorName::caught_by));
}

#[test]
fn the_readme_of_a_function_lists_its_errors_and_what_the_state_machine_does() {
    for (state, function, _) in tasks(&definition()) {
        let state: TaskState = state.parse().unwrap();
        let path = format!(
            "{}/../functions/{function}/README.md",
            env!("CARGO_MANIFEST_DIR")
        );
        let readme = std::fs::read_to_string(path).unwrap();
        let (_, section) = readme.split_once("\n## Errors\n").unwrap();
        let section = section.split("\n## ").next().unwrap();
        let mut listed = Vec::new();
        for row in section.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let (first, last) = (cells[0].trim_matches('`'), cells[cells.len() - 1]);
            let error: ErrorName = first.parse().unwrap();
            let retried = error.retried_by().contains(&state);
            let caught = error.caught_by().contains(&state);
            assert_eq!(last.starts_with("retries"), retried, "{function}: {row}");
            // An error that no state machine sees has a dash.
            let fails = !retried && !caught && last != "–";
            let states_failure = last.starts_with("fails") || last.starts_with("the state fails");
            assert_eq!(states_failure, fails, "{function}: {row}");
            listed.push(first);
        }
        listed.sort_unstable();
        let mut errors: Vec<&str> = errors()[function.as_str()].to_vec();
        errors.sort_unstable();
        assert_eq!(listed, errors, "functions/{function}/README.md, Errors");
    }
}

#[test]
fn the_runbook_has_a_heading_for_every_kind_of_notification() {
    let headings: Vec<&str> = RUNBOOK
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    for kind in notifications::NotificationKind::VARIANTS {
        assert!(headings.contains(kind), "docs/runbook.md has no {kind}");
    }
}

#[test]
fn the_table_of_errors_in_the_runbook_is_the_catalog() {
    let (_, table) = RUNBOOK.split_once("\n| Error |").unwrap();
    let table = format!("| Error |{}\n", table.split("\n\n").next().unwrap());
    let catalog = runbook_table();
    assert!(
        table == catalog,
        "replace the table of errors in docs/runbook.md with:\n\n{catalog}"
    );
}

/// The table of `docs/runbook.md`.
fn runbook_table() -> String {
    let mut table =
        "| Error | Explanation | Fix first | Remedy | Retried in |\n|---|---|---|---|---|\n"
            .to_owned();
    for error in in_order(|_| true) {
        let entry = error.entry();
        let row = [
            format!("`{error}`"),
            entry.explanation.to_owned(),
            entry.fix.unwrap_or("–").to_owned(),
            remedy(error),
            retried_in(error),
        ];
        table.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    table
}

fn remedy(error: ErrorName) -> String {
    match error.entry().remedy {
        Remedy::Redrive => "redrive",
        Remedy::RunAgain => "run again",
        Remedy::NewPicture => "run again, which pays for another picture",
        Remedy::OverrideCaption => "`spooky override POST --caption …`, then run again",
        Remedy::OverrideScene => "`spooky override POST --scene …`, then run again",
        Remedy::AttachOrPostAgain => "see [unconfirmed](#unconfirmed)",
        Remedy::AttachOrOverride => {
            "check the account on X; attach the tweet and redrive if it is this post's, or else `spooky override POST --caption …` and run again"
        }
        Remedy::Nothing => "none",
    }
    .to_owned()
}

fn retried_in(error: ErrorName) -> String {
    let list = |states: &[TaskState]| -> String {
        let names: Vec<&str> = states.iter().map(Into::into).collect();
        names.join(", ")
    };
    let functions = TaskState::VARIANTS.len() - 1;
    let retried = match error.retried_by() {
        [] => String::new(),
        states if states.len() == functions => "every function".to_owned(),
        states => list(states),
    };
    let caught = match error.caught_by() {
        [] => String::new(),
        states => format!("caught in {}", list(states)),
    };
    match (retried.as_str(), caught.as_str()) {
        ("", "") => "–".to_owned(),
        (retried, "") => retried.to_owned(),
        ("", caught) => caught.to_owned(),
        (retried, caught) => format!("{retried}; {caught}"),
    }
}

#[test]
fn every_function_gets_the_fields_that_its_log_names() {
    for (state, _, task) in tasks(&definition()) {
        let payload = task["Arguments"]["Payload"].as_str().unwrap();
        for field in [
            "'execution': $states.context.Execution.Id",
            "'attempt': $states.context.State.RetryCount + 1",
        ] {
            assert!(payload.contains(field), "{state} does not pass {field}");
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
            // There is a decision, or the time is over; RequestApproval finds out which.
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
    // An upper bound: the watchdog runs more often.
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
fn the_waits_of_post_tweet_outlast_a_lease_and_all_reconciliation_attempts() {
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
