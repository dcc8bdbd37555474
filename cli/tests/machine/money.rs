//! The money guard, by the whole machine.

use fakes::{Fault, Kind};
use post::Outcome;
use serde_json::{Value, json};

use crate::fixture::{BOT, CommandLine, Fixture};

const DATE: &str = "2026-10-30";
const POST: &str = "spooky-days/2026-10-30/1";

const CAP: &str = "per_day_usd = 1.00";

impl Fixture {
    async fn costs(&self) -> Value {
        CommandLine::new(self)
            .spooky(&["costs", "--json"])
            .await
            .json()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spent_is_counted_and_over_a_cap_nothing_is_bought() {
    let fixture = Fixture::new().await;
    // Room for one picture, and not for two.
    fixture
        .edit_bot(&[
            ("policy = \"required\"", "policy = \"off\""),
            (CAP, "per_day_usd = 0.10"),
        ])
        .await;
    let ended = fixture.run_date(DATE).await;
    assert_eq!(ended.output["record"]["outcome"], "posted", "{ended:?}");
    let costs = fixture.costs().await;
    assert_eq!(costs["openaiUsd"], ended.output["draft"]["costUsd"]);
    assert_eq!(costs["xUsd"], ended.output["tweet"]["costUsd"]);
    assert_eq!(costs["reservedUsd"], 0.0);
    assert_eq!(costs["days"].as_array().unwrap().len(), 1);

    let ended = fixture.run_date("2026-10-31").await;
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(ended.output["record"]["outcome"], "skipped");
    let reason = ended.output["record"]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("over budget: a picture may cost $0."),
        "{reason}"
    );
    assert!(reason.contains("per_day_usd = $0.10"), "{reason}");
    assert_eq!(fixture.openai.requests().len(), 1);
    assert_eq!(fixture.x.tweets().len(), 1);
    assert_eq!(fixture.costs().await, costs);
    // The owner is told, and with a higher cap the named command posts it.
    let mails = fixture.notices(1).await;
    assert!(
        mails[0].subject.contains("the budget is used up"),
        "{mails:?}"
    );
    fixture
        .edit_bot(&[("policy = \"required\"", "policy = \"off\"")])
        .await;
    let again = [
        "run",
        "--again",
        "spooky-days/2026-10-31/1",
        "--reason",
        "more money",
    ];
    CommandLine::new(&fixture).spooky(&again).await.ok();
    let record = fixture.record("2026-10-31").await.unwrap();
    assert_eq!(record.outcome, Some(Outcome::Posted));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_finds_the_draft_and_pays_nothing_and_another_picture_is_paid() {
    let fixture = Fixture::new().await;
    let refused = json!({"title": "Unauthorized", "status": 401});
    fixture.x.fail(Fault::once(
        "upload",
        Kind::Status {
            status: 401,
            body: refused,
        },
    ));
    let ended = fixture.run_date(DATE).await;
    assert_eq!(ended.status, "FAILED");
    fixture.failed_record(DATE).await;
    let costs = fixture.costs().await;
    let picture = costs["openaiUsd"].as_f64().unwrap();
    assert!(picture > 0.0);
    assert_eq!(costs["xUsd"], 0.0);
    CommandLine::new(&fixture)
        .spooky(&["redrive", POST])
        .await
        .ok();
    let costs = fixture.costs().await;
    assert_eq!(costs["openaiUsd"], picture);
    assert!(costs["xUsd"].as_f64().unwrap() > 0.0);
    assert_eq!(fixture.openai.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_picture_counts_and_can_be_over_budget() {
    let fixture = Fixture::asking().await;
    fixture.edit_bot(&[(CAP, "per_day_usd = 0.10")]).await;
    let execution = fixture
        .cloud
        .start(&deployment::ad_hoc(BOT, DATE.parse().unwrap(), 1))
        .await
        .unwrap();
    fixture.mails(1).await;
    let regenerate = ["regenerate", POST, "--note", "more bats"];
    CommandLine::new(&fixture).spooky(&regenerate).await.ok();
    let ended = fixture.ended(&execution).await;
    assert_eq!(ended.output["record"]["outcome"], "skipped", "{ended:?}");
    assert_eq!(fixture.openai.requests().len(), 1);
    // One picture was painted, and is in the record once.
    assert_eq!(
        ended.output["record"]["costUsd"],
        ended.output["draft"]["costUsd"]
    );
}
