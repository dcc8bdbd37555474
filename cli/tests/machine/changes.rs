//! What an operator changes before a run begins, and after a tweet is there.

use deployment::ad_hoc;
use fakes::{Fault, Kind};
use jiff::Timestamp;
use post::Outcome;
use posts_table::Ledger;

use crate::{
    approval::Waiting,
    operate::name,
    setting::{BOT, Machine, Terminal, until},
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
    let machine = Machine::new().await;
    let terminal = Terminal::new(&machine);
    let date = coming();
    let post = name(&date);
    let reason = ["--reason", "a strike"];
    let said = terminal
        .spooky(&[
            "skip", &post, "--reason", "a strike", "--by", "Ada", "--json",
        ])
        .await
        .json();
    assert_eq!(said["gets"], "skipped: a strike");
    let said = terminal.spooky(&["status"]).await.ok();
    assert!(
        said.contains(&format!("{post} is skipped: a strike (set by Ada)")),
        "{said}"
    );
    let ended = machine.run_date(&date).await;
    assert_eq!(ended.output["record"]["outcome"], "skipped", "{ended:?}");
    assert_eq!(ended.output["record"]["reason"], "skipped: a strike");
    assert_eq!(machine.audited(&date, "overridden").await["by"], "Ada");
    // There is nothing to skip any more, but the slot may have another day, and be run again.
    let said = terminal
        .spooky(&["skip", &post, reason[0], reason[1]])
        .await;
    assert!(said.refused().contains("has ended: skipped"));
    let said = terminal
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
    assert_eq!(said["gets"], "National Bat Day");
    assert_eq!(said["override"]["scene"], "a bat in a top hat");
    let again = [
        "run",
        "--again",
        &post,
        "--reason",
        "the strike is over",
        "--json",
    ];
    let ran = terminal.spooky(&again).await.json();
    assert_eq!(ran["output"]["record"]["outcome"], "posted", "{ran}");
    assert_eq!(ran["output"]["day"]["name"], "National Bat Day");
    assert!(machine.x.tweets()[0].text.starts_with("Bats!"));
    for arguments in [
        vec!["skip", &post, "--reason", "x"],
        vec!["override", &post, "--day", "National Owl Day"],
        vec!["skip", &post, "--undo"],
    ] {
        let said = terminal.spooky(&arguments).await.refused();
        assert!(said.contains("is posted: https://x.com"), "{said}");
    }
    let other = format!("{BOT}/{date}/2");
    let said = terminal
        .spooky(&["override", &other, "--day", "national bat day"])
        .await;
    assert!(said.refused().contains("posts that observance"));
    // Taken back before anything came of it.
    let said = terminal
        .spooky(&["skip", &other, "--reason", "x"])
        .await
        .ok();
    assert!(said.contains("no schedule starts"), "{said}");
    terminal.spooky(&["skip", &other, "--undo"]).await.ok();
    let said = terminal
        .spooky(&["override", &other, "--undo"])
        .await
        .refused();
    assert!(said.contains("has no override"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_begun_is_not_overridden_and_says_what_to_do() {
    let waiting = Waiting::new(&[]).await;
    let machine = &waiting.machine;
    let terminal = Terminal::new(machine);
    let date = coming();
    let post = name(&date);
    let input = ad_hoc(BOT, date.parse().unwrap(), 1);
    machine.cloud.start(&input).await.unwrap();
    until("the approval", async || {
        let approval = machine
            .cloud
            .table
            .approval(&post.parse().unwrap(), 1)
            .await;
        approval.unwrap()?.task_token
    })
    .await;
    let said = terminal
        .spooky(&["override", &post, "--day", "National Bat Day"])
        .await
        .refused();
    assert!(
        said.contains("has started") && said.contains("spooky reject"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tweet_is_deleted_by_its_name_and_its_slot_stays_taken() {
    let machine = Machine::new().await;
    let terminal = Terminal::new(&machine);
    machine.run_date(DATE).await;
    let name = name(DATE);
    let arguments = ["delete", &name, "--reason", "a typo", "--by", "Ada"];
    for typed in ["", "yes\n"] {
        let said = terminal.typing(&arguments, typed).await.refused();
        assert!(said.contains("not confirmed"), "{said}");
    }
    assert_eq!(machine.record(DATE).await.unwrap().deletion, None);
    // X is down: the order stays, and is carried out when it is repeated.
    let html = Kind::Html { status: 503 };
    machine.x.fail(Fault::once("delete-tweet", html));
    let said = terminal
        .typing(&arguments, &format!("{name}\n"))
        .await
        .refused();
    assert!(
        said.contains("ServiceUnavailable") && said.contains("repeat `spooky delete"),
        "{said}"
    );
    assert!(machine.x.tweets()[0].deleted_at.is_none());
    let said = terminal
        .spooky(&["delete", &name, "--reason", "again", "--yes", "--json"])
        .await
        .json();
    assert_eq!(said["id"], machine.x.tweets()[0].id);
    assert!(machine.x.tweets()[0].deleted_at.is_some());
    let record = machine.record(DATE).await.unwrap();
    assert_eq!(record.ledger, Ledger::Posted);
    assert_eq!(record.outcome, Some(Outcome::Posted));
    let deletion = record.deletion.unwrap();
    assert_eq!(
        (deletion.by.as_str(), deletion.reason.as_str()),
        ("Ada", "a typo")
    );
    // Again it is done, and needs no confirmation.
    terminal.spooky(&arguments).await.ok();
    let requests = machine.x.requests();
    assert_eq!(
        requests
            .iter()
            .filter(|(name, _)| name == "delete-tweet")
            .count(),
        2
    );
    // The slot stays taken.
    let said = terminal
        .spooky(&["run", "--again", &name, "--reason", "x"])
        .await
        .refused();
    assert!(said.contains("deleted at"), "{said}");
    let ended = machine.run_date(DATE).await;
    assert_eq!(ended.output["record"]["outcome"], "duplicate");
    assert_eq!(machine.x.tweets().len(), 1);

    machine
        .x
        .fail(Fault::always("upload", Kind::Html { status: 500 }));
    machine.run_date("2026-12-24").await;
    for (post, says) in [
        ("spooky-days/2026-12-24/1", "was not sent"),
        ("spooky-days/2026-12-25/1", "has no run"),
    ] {
        let said = terminal
            .spooky(&["delete", post, "--reason", "x", "--yes"])
            .await
            .refused();
        assert!(
            said.contains("nothing was deleted") && said.contains(says),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_failed_is_overridden_for_a_new_run_and_not_for_its_redrive() {
    let machine = Machine::asking().await;
    let terminal = Terminal::new(&machine);
    let post = name(DATE);
    let broken = Kind::Html { status: 500 };
    machine.openai.fail(Fault::always("images", broken));
    let ended = machine.run_date(DATE).await;
    assert_eq!(ended.status, "FAILED", "{ended:?}");
    machine.failed_record(DATE).await;
    machine.openai.clear_faults();
    let skip = ["skip", &post, "--reason", "no"];
    let said = terminal.spooky(&skip).await.refused();
    assert!(said.contains("was not sent"), "{said}");
    let caption = ["override", &post, "--caption", "By hand"];
    let said = terminal.spooky(&caption).await.ok();
    assert!(said.contains("run --again"), "{said}");
    // Its date is over, and it still counts.
    let status = terminal.spooky(&["status", "--json"]).await.json();
    assert_eq!(status["overrides"][0]["post"], post, "{status}");

    let redrive = ["redrive", &post];
    let approve = async {
        let post = post.parse().unwrap();
        let asked = until("the approval", async || {
            let asked = machine.cloud.table.approval(&post, 1).await.unwrap()?;
            asked.task_token.is_some().then_some(asked)
        })
        .await;
        let said = terminal.spooky(&caption).await.refused();
        assert!(said.contains("has started"), "{said}");
        let post = post.to_string();
        terminal.spooky(&["approve", &post]).await.ok();
        asked
    };
    let (said, asked) = tokio::join!(terminal.spooky(&redrive), approve);
    assert!(said.ok().contains("posted"));
    let tweets = machine.x.tweets();
    assert!(
        tweets.len() == 1 && tweets[0].text == asked.caption,
        "{tweets:?}"
    );
    assert_ne!(asked.caption, "By hand");
}
