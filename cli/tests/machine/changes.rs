//! What an operator changes before a run begins, and after a tweet is there.

use deployment::ad_hoc;
use fakes::{Fault, Kind};
use jiff::Timestamp;
use post::Outcome;
use posts_table::Ledger;

use crate::{
    approval::Waiting,
    fixture::{BOT, CommandLine, Fixture, until},
    operate::name,
};

const DATE: &str = "2026-10-30";

/// A date to come on which the shipped calendar has a day, and not a silent one.
fn coming() -> String {
    let text = include_str!("../../../bots/spooky-days/calendar.toml");
    let calendar = bot_files::Calendar::parse("calendar.toml", text).unwrap();
    let mut date = Timestamp::now()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .date();
    loop {
        date = date.tomorrow().unwrap();
        if calendar.observances(date).len() > 1 && date.weekday() == jiff::civil::Weekday::Wednesday
        {
            return date.to_string();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_to_come_is_skipped_or_gets_another_day_until_its_run_begins() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    let date = coming();
    let post = name(&date);
    let reason = ["--reason", "a strike"];
    let printed = cli
        .spooky(&[
            "skip", &post, "--reason", "a strike", "--by", "Ada", "--json",
        ])
        .await
        .json();
    assert_eq!(printed["gets"], "skipped: a strike");
    let printed = cli.spooky(&["status"]).await.ok();
    assert!(
        printed.contains(&format!("{post} is skipped: a strike (set by Ada)")),
        "{printed}"
    );
    let ended = fixture.run_date(&date).await;
    assert_eq!(ended.output["record"]["outcome"], "skipped", "{ended:?}");
    assert_eq!(ended.output["record"]["reason"], "skipped: a strike");
    assert_eq!(fixture.audited(&date, "overridden").await["by"], "Ada");
    // There is nothing to skip any more, but the slot may have another day, and be run again.
    let printed = cli.spooky(&["skip", &post, reason[0], reason[1]]).await;
    assert!(printed.refused().contains("has ended: skipped"));
    let printed = cli
        .spooky(&[
            "override",
            &post,
            "--day",
            "National Bat Day",
            "--scene",
            "a bat in a top hat",
            "--caption",
            "Bats!",
            "--json",
        ])
        .await
        .json();
    assert_eq!(printed["gets"], "National Bat Day");
    assert_eq!(printed["override"]["scene"], "a bat in a top hat");
    let again = [
        "run",
        "--again",
        &post,
        "--reason",
        "the strike is over",
        "--json",
    ];
    let ran = cli.spooky(&again).await.json();
    assert_eq!(ran["output"]["record"]["outcome"], "posted", "{ran}");
    assert_eq!(ran["output"]["day"]["name"], "National Bat Day");
    assert!(fixture.x.tweets()[0].text.starts_with("Bats!"));
    for arguments in [
        vec!["skip", &post, "--reason", "x"],
        vec!["override", &post, "--day", "National Owl Day"],
        vec!["skip", &post, "--undo"],
    ] {
        let printed = cli.spooky(&arguments).await.refused();
        assert!(printed.contains("is posted: https://x.com"), "{printed}");
    }
    let other = format!("{BOT}/{date}/2");
    let printed = cli
        .spooky(&["override", &other, "--day", "national bat day"])
        .await;
    assert!(printed.refused().contains("posts that observance"));
    // Taken back before anything came of it.
    let printed = cli.spooky(&["skip", &other, "--reason", "x"]).await.ok();
    assert!(printed.contains("no schedule starts"), "{printed}");
    cli.spooky(&["skip", &other, "--undo"]).await.ok();
    let printed = cli.spooky(&["override", &other, "--undo"]).await.refused();
    assert!(printed.contains("has no override"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_begun_is_not_overridden_and_says_what_to_do() {
    let waiting = Waiting::new(&[]).await;
    let fixture = &waiting.fixture;
    let cli = CommandLine::new(fixture);
    let date = coming();
    let post = name(&date);
    let input = ad_hoc(BOT, date.parse().unwrap(), 1);
    fixture.cloud.start(&input).await.unwrap();
    until("the approval", async || {
        let approval = fixture
            .cloud
            .table
            .approval(&post.parse().unwrap(), 1)
            .await;
        approval.unwrap()?.task_token
    })
    .await;
    let printed = cli
        .spooky(&["override", &post, "--day", "National Bat Day"])
        .await
        .refused();
    assert!(
        printed.contains("has started") && printed.contains("spooky reject"),
        "{printed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tweet_is_deleted_by_its_name_and_its_slot_stays_taken() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    fixture.run_date(DATE).await;
    let name = name(DATE);
    let arguments = ["delete", &name, "--reason", "a typo", "--by", "Ada"];
    for typed in ["", "yes\n"] {
        let printed = cli.typing(&arguments, typed).await.refused();
        assert!(printed.contains("not confirmed"), "{printed}");
    }
    assert_eq!(fixture.record(DATE).await.unwrap().deletion, None);
    // X is down: the order stays, and is carried out when it is repeated.
    let html = Kind::Html { status: 503 };
    fixture.x.fail(Fault::once("delete-tweet", html));
    let printed = cli.typing(&arguments, &format!("{name}\n")).await.refused();
    assert!(
        printed.contains("ServiceUnavailable") && printed.contains("repeat `spooky delete"),
        "{printed}"
    );
    assert!(fixture.x.tweets()[0].deleted_at.is_none());
    let printed = cli
        .spooky(&["delete", &name, "--reason", "again", "--yes", "--json"])
        .await
        .json();
    assert_eq!(printed["id"], fixture.x.tweets()[0].id);
    assert!(fixture.x.tweets()[0].deleted_at.is_some());
    let record = fixture.record(DATE).await.unwrap();
    assert_eq!(record.ledger, Ledger::Posted);
    assert_eq!(record.outcome, Some(Outcome::Posted));
    let deletion = record.deletion.unwrap();
    assert_eq!(
        (deletion.by.as_str(), deletion.reason.as_str()),
        ("Ada", "a typo")
    );
    // Again it is done, and needs no confirmation.
    cli.spooky(&arguments).await.ok();
    let requests = fixture.x.requests();
    assert_eq!(
        requests
            .iter()
            .filter(|(name, _)| name == "delete-tweet")
            .count(),
        2
    );
    // The slot stays taken.
    let printed = cli
        .spooky(&["run", "--again", &name, "--reason", "x"])
        .await
        .refused();
    assert!(printed.contains("deleted at"), "{printed}");
    let ended = fixture.run_date(DATE).await;
    assert_eq!(ended.output["record"]["outcome"], "duplicate");
    assert_eq!(fixture.x.tweets().len(), 1);

    fixture
        .x
        .fail(Fault::always("upload", Kind::Html { status: 500 }));
    fixture.run_date("2026-12-24").await;
    for (post, says) in [
        ("spooky-days/2026-12-24/1", "was not sent"),
        ("spooky-days/2026-12-25/1", "has no run"),
    ] {
        let printed = cli
            .spooky(&["delete", post, "--reason", "x", "--yes"])
            .await
            .refused();
        assert!(
            printed.contains("nothing was deleted") && printed.contains(says),
            "{printed}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_failed_is_overridden_for_a_new_run_and_not_for_its_redrive() {
    let fixture = Fixture::asking().await;
    let cli = CommandLine::new(&fixture);
    let post = name(DATE);
    let broken = Kind::Html { status: 500 };
    fixture.openai.fail(Fault::always("images", broken));
    let ended = fixture.run_date(DATE).await;
    assert_eq!(ended.status, "FAILED", "{ended:?}");
    fixture.failed_record(DATE).await;
    fixture.openai.clear_faults();
    let skip = ["skip", &post, "--reason", "no"];
    let printed = cli.spooky(&skip).await.refused();
    assert!(printed.contains("was not sent"), "{printed}");
    let caption = ["override", &post, "--caption", "By hand"];
    let printed = cli.spooky(&caption).await.ok();
    assert!(printed.contains("run --again"), "{printed}");
    // Its date is over, and it still counts.
    let status = cli.spooky(&["status", "--json"]).await.json();
    assert_eq!(status["overrides"][0]["post"], post, "{status}");

    let redrive = ["redrive", &post];
    let approve = async {
        let post = post.parse().unwrap();
        let asked = until("the approval", async || {
            let asked = fixture.cloud.table.approval(&post, 1).await.unwrap()?;
            asked.task_token.is_some().then_some(asked)
        })
        .await;
        let printed = cli.spooky(&caption).await.refused();
        assert!(printed.contains("has started"), "{printed}");
        let post = post.to_string();
        cli.spooky(&["approve", &post]).await.ok();
        asked
    };
    let (printed, asked) = tokio::join!(cli.spooky(&redrive), approve);
    assert!(printed.ok().contains("posted"));
    let tweets = fixture.x.tweets();
    assert!(
        tweets.len() == 1 && tweets[0].text == asked.caption,
        "{tweets:?}"
    );
    assert_ne!(asked.caption, "By hand");
}
