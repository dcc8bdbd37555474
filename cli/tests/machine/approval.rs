//! A person's answer before anything is posted.

use aws_sdk_dynamodb::types::AttributeValue;
use deployment::{EndedExecution, ad_hoc};
use jiff::{SignedDuration, Timestamp};
use local_cloud::TABLE;
use post::Outcome;
use posts_table::{ApprovalItem, Decision, Ledger, Verdict};
use serde_json::Value;

pub use crate::visit::{Page, link};

use crate::fixture::{BOT, CommandLine, Fixture, SECRETS, post, until};

const DATE: &str = "2026-10-30";

/// A run that waits for its approver.
pub struct Waiting {
    pub fixture: Fixture,
    pub execution: String,
}

impl Waiting {
    pub async fn new(changes: &[(&str, &str)]) -> Waiting {
        let fixture = Fixture::asking().await;
        fixture.edit_bot(changes).await;
        let execution = fixture
            .cloud
            .start(&ad_hoc(BOT, DATE.parse().unwrap(), 1))
            .await
            .unwrap();
        let waiting = Waiting { fixture, execution };
        waiting.waits(1).await;
        waiting
    }

    /// The approval of a round, once the state machine waits for it.
    pub async fn waits(&self, round: u32) -> ApprovalItem {
        until(&format!("the wait in round {round}"), async || {
            let approval = self.approval(round).await?;
            approval.task_token.is_some().then_some(approval)
        })
        .await
    }

    pub async fn approval(&self, round: u32) -> Option<ApprovalItem> {
        let table = &self.fixture.cloud.table;
        table.approval(&post(DATE, 1), round).await.unwrap()
    }

    /// Opens the page of a mail and answers with these fields of its form changed.
    pub async fn answer(&self, mail: usize, fields: &[(&str, &str)]) -> reqwest::Response {
        let mails = self.fixture.mails(mail + 1).await;
        let page = Page::open(&link(&mails[mail].body_text)).await;
        page.answer(fields).await
    }

    pub async fn ends(&self) -> EndedExecution {
        self.fixture.ended(&self.execution).await
    }

    /// Moves a time of the approval, as if the clock had gone on.
    pub async fn set(&self, round: u32, name: &str, seconds_from_now: i64) {
        let [pk, sk] = self.approval(round).await.unwrap().item_key().unwrap();
        let at = Timestamp::now().as_second() + seconds_from_now;
        self.fixture
            .cloud
            .dynamodb
            .update_item()
            .table_name(TABLE)
            .key("pk", AttributeValue::S(pk))
            .key("sk", AttributeValue::S(sk))
            .update_expression("SET #name = :at")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":at", AttributeValue::N(at.to_string()))
            .send()
            .await
            .unwrap();
    }

    async fn audit(&self) -> Vec<String> {
        let table = &self.fixture.cloud.table;
        let lines = table.audit_trail(&post(DATE, 1)).await.unwrap();
        lines
            .into_iter()
            .map(|line| line.what.to_string())
            .collect()
    }
}

pub fn outcome(ended: &EndedExecution) -> &str {
    ended.output["record"]["outcome"].as_str().unwrap_or("none")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_on_the_page_is_posted_and_everyone_who_did_something_is_on_record() {
    let waiting = Waiting::new(&[]).await;
    assert!(waiting.fixture.x.requests().is_empty());
    let mails = waiting.fixture.mails(1).await;
    assert_eq!(mails[0].to, ["owner@example.org"]);
    let approval = waiting.approval(1).await.unwrap();
    for part in [&approval.caption, &approval.alt_text] {
        assert!(mails[0].body_text.contains(part.as_str()), "{part}");
    }
    assert!(link(&mails[0].body_text).len() < 300);

    let answer = waiting.answer(0, &[("answer", "approve")]).await;
    assert_eq!(answer.status(), 303);
    let ended = waiting.ends().await;
    assert_eq!(outcome(&ended), "posted", "{ended:?}");
    let names: Vec<&str> = ended.states.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(
        names[4..10],
        [
            "StoreImage",
            "NeedsApproval",
            "RequestApproval",
            "IsDecided",
            "AwaitApproval",
            "IsApproved"
        ][..]
    );
    assert_eq!(waiting.fixture.x.tweets()[0].text, approval.caption);
    assert_eq!(
        waiting.audit().await,
        ["approval-opened", "mailed#owner@example.org", "decided"]
    );
    let table = &waiting.fixture.cloud.table;
    assert!(table.waiting_approvals(BOT).await.unwrap().is_empty());
    let page = Page::open(&link(&mails[0].body_text)).await;
    assert!(page.html.contains("Approved") && !page.html.contains("<form"));
}

#[tokio::test(flavor = "multi_thread")]
async fn edited_texts_are_what_is_posted_and_texts_that_x_refuses_come_back_with_all_that_was_typed()
 {
    let waiting = Waiting::new(&[]).await;
    let too_long = "👻".repeat(150);
    let answer = waiting
        .answer(
            0,
            &[
                ("answer", "approve"),
                ("caption", &too_long),
                ("altText", "A <b>ghost</b> & a cat."),
                ("note", "more bats"),
            ],
        )
        .await;
    assert_eq!(answer.status(), 422);
    let page = answer.text().await.unwrap();
    assert!(page.contains("weighted length of 300") && page.contains(&too_long));
    assert!(page.contains("A &lt;b&gt;ghost&lt;/b&gt; &amp; a cat.") && page.contains("more bats"));
    assert!(waiting.approval(1).await.unwrap().decision.is_none());

    let answer = waiting
        .answer(
            0,
            &[
                ("answer", "approve"),
                ("caption", "Edited.\r\n\r\n#Spooky"),
                ("altText", "A <b>ghost</b> & a cat."),
            ],
        )
        .await;
    assert_eq!(answer.status(), 303);
    assert_eq!(outcome(&waiting.ends().await), "posted");
    let tweet = &waiting.fixture.x.tweets()[0];
    assert_eq!(tweet.text, "Edited.\n\n#Spooky");
    assert_eq!(tweet.alt_texts, ["A <b>ghost</b> & a cat."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_picture_is_painted_even_for_the_same_note_and_needs_its_own_approval() {
    let waiting = Waiting::new(&[]).await;
    let mut hashes = vec![waiting.approval(1).await.unwrap().image.sha256];
    for (round, note) in [(1, ""), (2, "more bats"), (3, "more bats")] {
        let mails = waiting.fixture.mails(round).await;
        let older = Page::open(&link(&mails[round - 1].body_text)).await;
        let answer = waiting
            .answer(round - 1, &[("answer", "regenerate"), ("note", note)])
            .await;
        assert_eq!(answer.status(), 303);
        let next = waiting.waits(round as u32 + 1).await;
        assert!(
            !hashes.contains(&next.image.sha256),
            "the same picture again"
        );
        hashes.push(next.image.sha256);
        // The older page cannot decide any more.
        let stale = older.answer(&[("answer", "approve")]).await;
        assert_eq!(stale.status(), 409);
    }
    let prompts = waiting.fixture.openai.requests();
    assert_eq!(prompts.len(), 4);
    assert!(prompts[2]["prompt"].as_str().unwrap().contains("more bats"));
    // Four pictures are enough.
    let answer = waiting.answer(3, &[("answer", "regenerate")]).await;
    assert_eq!(answer.status(), 422);
    let answer = waiting.answer(3, &[("answer", "approve")]).await;
    assert_eq!(answer.status(), 303);
    let ended = waiting.ends().await;
    assert_eq!(outcome(&ended), "posted", "{ended:?}");
    let posted = &waiting.fixture.x.tweets()[0].pictures[0];
    let key = waiting.approval(4).await.unwrap().image.key;
    assert_eq!(posted, &waiting.fixture.cloud.picture(&key).await.unwrap());
    // All four were paid.
    let cost = ended.output["record"]["costUsd"].as_f64().unwrap();
    let one = ended.output["draft"]["costUsd"].as_f64().unwrap();
    assert!(cost > 3.5 * one, "{cost} for pictures of {one}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_needs_a_reason_and_ends_the_run_without_a_post() {
    let waiting = Waiting::new(&[]).await;
    let answer = waiting
        .answer(0, &[("answer", "reject"), ("reason", " ")])
        .await;
    assert_eq!(answer.status(), 422);
    let answer = waiting
        .answer(0, &[("answer", "reject"), ("reason", "not funny")])
        .await;
    assert_eq!(answer.status(), 303);
    let ended = waiting.ends().await;
    assert_eq!(ended.status, "SUCCEEDED");
    assert_eq!(outcome(&ended), "rejected");
    let record = waiting.fixture.record(DATE).await.unwrap();
    assert_eq!(record.outcome, Some(Outcome::Rejected));
    assert_eq!(
        record.reason.as_deref(),
        Some("rejected by owner@example.org: not funny")
    );
    assert_eq!(record.ledger, Ledger::Claimed);
    assert!(waiting.fixture.x.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nobody_answers_the_policy_decides_and_a_late_click_changes_nothing() {
    for (policy, expected, tweets) in [("skip", "expired", 0), ("post", "posted", 1)] {
        let on_timeout = format!("on_timeout = \"{policy}\"");
        let waiting = Waiting::new(&[("on_timeout = \"skip\"", &on_timeout)]).await;
        let page = Page::open(&link(&waiting.fixture.mails(1).await[0].body_text)).await;
        // Before the deadline the watchdog leaves it alone.
        assert_eq!(
            waiting.fixture.cloud.run_watchdog().await.unwrap()["waiting"],
            1
        );
        waiting.set(1, "closesAt", -1).await;
        let late = page
            .answer(&[("answer", "reject"), ("reason", "late")])
            .await;
        assert_eq!(late.status(), 410, "{}", page.html);
        let ended = waiting.ends().await;
        assert_eq!(outcome(&ended), expected, "{ended:?}");
        assert_eq!(waiting.fixture.x.tweets().len(), tweets);
        let decision = waiting.approval(1).await.unwrap().decision.unwrap();
        assert_eq!(decision.by, "policy");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watchdog_settles_what_nobody_decided_and_honors_a_decision_that_was_there_first() {
    let waiting = Waiting::new(&[]).await;
    waiting.set(1, "closesAt", -1).await;
    let answer = waiting.fixture.cloud.run_watchdog().await.unwrap();
    assert_eq!(answer["settled"], 1, "{answer}");
    assert_eq!(outcome(&waiting.ends().await), "expired");
    let answer = waiting.fixture.cloud.run_watchdog().await.unwrap();
    assert_eq!(
        answer,
        serde_json::json!({"settled": 0, "delivered": 0, "reminded": 0, "waiting": 0, "told": 0, "counted": 0})
    );

    // A decision a moment before the deadline whose answer was lost, and then the deadline.
    let waiting = Waiting::new(&[("on_timeout = \"skip\"", "on_timeout = \"post\"")]).await;
    let approval = waiting.approval(1).await.unwrap();
    let decision = Decision {
        by: "owner@example.org".to_owned(),
        at: Timestamp::now(),
        verdict: Verdict::Rejected {
            reason: "no".to_owned(),
        },
    };
    let table = &waiting.fixture.cloud.table;
    table
        .decide(&post(DATE, 1), 1, &approval.presented_hash, &decision)
        .await
        .unwrap();
    waiting.set(1, "closesAt", -1).await;
    let answer = waiting.fixture.cloud.run_watchdog().await.unwrap();
    assert_eq!(answer["delivered"], 1, "{answer}");
    assert_eq!(outcome(&waiting.ends().await), "rejected");
    assert!(waiting.fixture.x.tweets().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_asked_is_reminded_once() {
    let two = "approvers = [\"owner@example.org\", \"second@example.org\"]";
    let waiting = Waiting::new(&[("approvers = [\"owner@example.org\"]", two)]).await;
    assert_eq!(waiting.fixture.mails(2).await.len(), 2);
    waiting.set(1, "remindAt", -1).await;
    for expected in [2, 0] {
        let answer = waiting.fixture.cloud.run_watchdog().await.unwrap();
        assert_eq!(answer["reminded"], expected, "{answer}");
    }
    let mails = waiting.fixture.mails(4).await;
    assert_eq!(mails.len(), 4);
    assert!(mails[2].subject.starts_with("Reminder: approve"));
    // The link of the reminder is as good as the first.
    assert_eq!(
        waiting.answer(3, &[("answer", "approve")]).await.status(),
        303
    );
    let ended = waiting.ends().await;
    assert_eq!(
        ended.output["approval"]["decision"]["by"],
        "second@example.org"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_answer_at_once_one_counts_and_the_other_is_told() {
    let two = "approvers = [\"owner@example.org\", \"second@example.org\"]";
    let waiting = Waiting::new(&[("approvers = [\"owner@example.org\"]", two)]).await;
    let mails = waiting.fixture.mails(2).await;
    let one = Page::open(&link(&mails[0].body_text)).await;
    let other = Page::open(&link(&mails[1].body_text)).await;
    let (first, second) = tokio::join!(
        one.answer(&[("answer", "approve")]),
        other.answer(&[("answer", "reject"), ("reason", "no")])
    );
    let mut statuses = [first.status().as_u16(), second.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409]);
    let decision = waiting.approval(1).await.unwrap().decision.unwrap();
    let told = match first.status().as_u16() {
        409 => first.text().await.unwrap(),
        _ => second.text().await.unwrap(),
    };
    assert!(told.contains(&decision.by), "{told}");
    let posted = usize::from(decision.verdict.name() == "approved");
    waiting.ends().await;
    assert_eq!(waiting.fixture.x.tweets().len(), posted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_stops_the_answer_and_lifting_it_makes_the_page_good_again() {
    let waiting = Waiting::new(&[]).await;
    let switch = [
        ("pk", format!("{BOT}#settings")),
        ("sk", "switch".to_owned()),
    ];
    let mut put = waiting.fixture.cloud.dynamodb.put_item().table_name(TABLE);
    for (name, value) in switch.clone() {
        put = put.item(name, AttributeValue::S(value));
    }
    put.item("reason", AttributeValue::S("a storm".to_owned()))
        .send()
        .await
        .unwrap();
    let mails = waiting.fixture.mails(1).await;
    let page = Page::open(&link(&mails[0].body_text)).await;
    assert!(page.html.contains("paused: a storm") && !page.html.contains("<form"));
    let approval = waiting.approval(1).await.unwrap();
    let stopped = page
        .answer(&[("answer", "approve"), ("content", &approval.presented_hash)])
        .await;
    // Without the form of the page there is no value that belongs to it.
    assert_eq!(stopped.status(), 403);
    let mut delete = waiting
        .fixture
        .cloud
        .dynamodb
        .delete_item()
        .table_name(TABLE);
    for (name, value) in switch {
        delete = delete.key(name, AttributeValue::S(value));
    }
    delete.send().await.unwrap();
    assert_eq!(
        waiting.answer(0, &[("answer", "approve")]).await.status(),
        303
    );
    assert_eq!(outcome(&waiting.ends().await), "posted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_ended_cannot_be_decided_and_one_that_goes_on_from_the_wait_can() {
    let waiting = Waiting::new(&[]).await;
    waiting
        .fixture
        .cloud
        .sfn
        .stop_execution()
        .execution_arn(&waiting.execution)
        .send()
        .await
        .unwrap();
    let mails = waiting.fixture.mails(1).await;
    let page = Page::open(&link(&mails[0].body_text)).await;
    assert!(page.html.contains("ABORTED"), "{}", page.html);
    assert!(waiting.approval(1).await.unwrap().decision.is_none());

    let first_token = token(&waiting).await;
    let cloud = &waiting.fixture.cloud;
    let run = cloud.run_of(&waiting.execution).await.unwrap().unwrap();
    let operator = posts_table::Operator {
        by: "operator".to_owned(),
        reason: None,
    };
    let continued = cloud
        .continue_from(Some(&post(DATE, 1)), &run, &operator)
        .await
        .unwrap();
    until("the newer token", async || {
        (token(&waiting).await != first_token).then_some(())
    })
    .await;
    // No one gets an email again, and the first link is good again.
    assert_eq!(waiting.fixture.mails(1).await.len(), 1);
    assert_eq!(
        waiting.answer(0, &[("answer", "approve")]).await.status(),
        303
    );
    let ended = waiting.fixture.ended(&continued).await;
    assert_eq!(outcome(&ended), "posted", "{ended:?}");
    assert_eq!(ended.states[0].name, "AwaitApproval");
    assert_eq!(waiting.fixture.x.tweets().len(), 1);
}

async fn token(waiting: &Waiting) -> Option<String> {
    use secrecy::ExposeSecret;
    let token = waiting.approval(1).await?.task_token?;
    Some(token.expose_secret().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_good_after_the_next_deployment_and_so_is_the_run_that_waits() {
    let mut waiting = Waiting::new(&[]).await;
    waiting.fixture.deploy_again().await;
    let answer = waiting.answer(0, &[("answer", "approve")]).await;
    assert_eq!(answer.status(), 303);
    assert_eq!(outcome(&waiting.ends().await), "posted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_between_mail_and_wait_is_not_waited_for() {
    let fixture = Fixture::asking().await;
    let execution = fixture
        .cloud
        .start(&ad_hoc(BOT, DATE.parse().unwrap(), 1))
        .await
        .unwrap();
    // As fast as can be: before or after the state waits, it makes no difference.
    let approval = until("the approval", async || {
        fixture
            .cloud
            .table
            .approval(&post(DATE, 1), 1)
            .await
            .unwrap()
    })
    .await;
    let decision = Decision {
        by: "a faster operator".to_owned(),
        at: Timestamp::now(),
        verdict: Verdict::Rejected {
            reason: "no".to_owned(),
        },
    };
    fixture
        .cloud
        .table
        .decide(&post(DATE, 1), 1, &approval.presented_hash, &decision)
        .await
        .unwrap();
    fixture.cloud.run_watchdog().await.unwrap();
    let ended = fixture.ended(&execution).await;
    assert_eq!(outcome(&ended), "rejected", "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_post_closes_no_later_than_it_would_be_too_late() {
    let fixture = Fixture::asking().await;
    // A slot whose time is over by nearly all of the lateness that is allowed.
    let at = Timestamp::now()
        .checked_sub(SignedDuration::from_hours(5))
        .unwrap();
    let zoned = at.to_zoned_datetime(jiff::tz::TimeZone::get("America/New_York").unwrap());
    let time = zoned.strftime("%H:%M").to_string();
    fixture
        .edit_bot(&[
            ("time = \"08:00\"", &format!("time = \"{time}\"")),
            ("lead = \"2h\"", "lead = \"0s\""),
            ("deadline = \"4h\"", "deadline = \"24h\""),
        ])
        .await;
    let date = zoned.date().to_string();
    let input = deployment::scheduled(BOT, 1, at);
    fixture.cloud.start(&input).await.unwrap();
    let (record, approval) = until("the approval", async || {
        let record = fixture.record(&date).await?;
        if record.outcome.is_some() {
            // A date of the calendar without a day.
            return Some((record, None));
        }
        let approval = fixture.cloud.table.approval(&post(&date, 1), 1).await;
        let approval = approval.unwrap()?;
        Some((record, Some(approval)))
    })
    .await;
    if let Some(approval) = approval {
        assert_eq!(Some(approval.closes_at), record.not_after);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_task_token_is_in_a_log_a_mail_a_page_an_address_or_state_data() {
    let waiting = Waiting::new(&[]).await;
    let mut planted: Vec<String> = SECRETS.iter().map(|s| (*s).to_owned()).collect();
    planted.push(base64::Engine::encode(
        &base64::prelude::BASE64_STANDARD,
        SECRETS[3],
    ));
    planted.push(token(&waiting).await.unwrap());
    let mails = waiting.fixture.mails(1).await;
    let page = Page::open(&link(&mails[0].body_text)).await;
    waiting.fixture.cloud.run_watchdog().await.unwrap();
    waiting.answer(0, &[("answer", "approve")]).await;
    let ended = waiting.ends().await;
    assert_eq!(outcome(&ended), "posted");

    let history = history(&waiting).await;
    let log = waiting.fixture.logs().await;
    assert!(log.contains("posted") && log.contains("delivered"), "{log}");
    let audit = serde_json::to_string(
        &waiting
            .fixture
            .cloud
            .table
            .audit_trail(&post(DATE, 1))
            .await
            .unwrap(),
    )
    .unwrap();
    for (place, text) in [
        ("a mail", format!("{mails:?}")),
        ("a page", page.html),
        ("the state data", history),
        ("the log", log),
        ("the output", ended.output.to_string()),
        ("the audit trail", audit),
    ] {
        for secret in &planted {
            assert!(!text.contains(secret.as_str()), "{place} shows {secret}");
        }
    }
}

/// The inputs and outputs of all states.
async fn history(waiting: &Waiting) -> String {
    let mut pages = waiting
        .fixture
        .cloud
        .sfn
        .get_execution_history()
        .execution_arn(&waiting.execution)
        .into_paginator()
        .items()
        .send();
    let mut text = String::new();
    while let Some(event) = pages.next().await {
        text.push_str(&format!("{:?}\n", event.unwrap()));
    }
    assert!(text.contains("AwaitApproval"));
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_decides_under_the_same_rules_with_the_operators_name() {
    let waiting = Waiting::new(&[]).await;
    let cli = CommandLine::new(&waiting.fixture);
    let spooky = async |arguments: &[&str]| {
        let printed = cli.spooky(arguments).await;
        (printed.code == Some(0), printed.out, printed.err)
    };
    let name = format!("{BOT}/{DATE}/1");
    let (ok, listed, _) = spooky(&["approvals", "--json"]).await;
    assert!(ok);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["post"], name.as_str());

    let (ok, _, printed) = spooky(&["approve", &name, "--caption", "@someone"]).await;
    assert!(!ok && printed.contains("--caption"), "{printed}");
    let (ok, _, printed) = spooky(&["approve", &name, "--by", "policy"]).await;
    assert!(!ok && printed.contains("--by"), "{printed}");
    let (ok, _, printed) = spooky(&["reject", "spooky-days/2026-10-29/1", "--reason", "x"]).await;
    assert!(!ok && printed.contains("has no approval"), "{printed}");
    let (ok, printed, _) = spooky(&["approve", &name, "--caption", "From a terminal."]).await;
    assert!(ok && printed.contains("approved by operator"), "{printed}");
    assert_eq!(outcome(&waiting.ends().await), "posted");
    assert_eq!(waiting.fixture.x.tweets()[0].text, "From a terminal.");
    let (ok, _, printed) = spooky(&["reject", &name, "--reason", "too late"]).await;
    assert!(!ok && printed.contains("operator decided"), "{printed}");

    let (ok, shown, _) = spooky(&["show", &name, "--json"]).await;
    assert!(ok);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["audit"][2]["details"]["by"], "operator");
    assert!(shown["approvals"][0].get("taskToken").is_none());
}
