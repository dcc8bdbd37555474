//! Wrong use of each command, and what it is told.

use clap::CommandFactory;
use fakes::{Fault, Kind};

use crate::{
    fixture::{CommandLine, Fixture},
    operate::name,
};

const DATE: &str = "2026-10-30";

#[tokio::test(flavor = "multi_thread")]
async fn wrong_use_of_every_command_says_what_to_type() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    let day = name(DATE);
    let unknown = "arn:aws:states:us-east-1:000000000000:execution:x:y";
    let cases = [
        (vec!["redrive", "yesterday"], 1, "write bot/date/slot"),
        (vec!["redrive", &day], 1, "spooky runs"),
        (vec!["redrive", unknown], 1, "spooky runs"),
        (vec!["redrive"], 2, "<WHAT>"),
        (vec!["redrive", &day, "--post-again"], 2, "--reason"),
        (vec!["redrive", &day, "--by", " "], 1, "--by is empty"),
        (vec!["attach", &day, "cat"], 2, "https://x.com/i/status/"),
        (vec!["attach", "x", "1"], 2, "write bot/date/slot"),
        (vec!["attach", &day, "1"], 1, "has no run"),
        (vec!["run", "--again", &day], 2, "--reason"),
        (vec!["run", "--reason", "x"], 2, "--again"),
        (
            vec!["run", "--again", &day, "--slot", "2", "--reason", "x"],
            2,
            "--slot",
        ),
        (
            vec!["run", "--again", &day, "--reason", " "],
            1,
            "--reason is empty",
        ),
        (
            vec!["run", "--again", &day, "--reason", "x"],
            1,
            "spooky run --date",
        ),
        (vec!["pause"], 2, "--reason"),
        (
            vec!["pause", "--reason", "x", "--until", "noon"],
            2,
            "2026-11-01T00:00:00Z",
        ),
        (
            vec!["pause", "--reason", "x", "--until", "2026-01-01T00:00:00Z"],
            1,
            "is in the past",
        ),
        (
            vec!["allow-late", &day, "--reason", "x"],
            1,
            "has no run yet",
        ),
        (vec!["skip", &day], 2, "--reason"),
        (
            vec!["skip", "friday", "--reason", "x"],
            2,
            "write bot/date/slot",
        ),
        (vec!["skip", &day, "--reason", " "], 1, "--reason is empty"),
        (
            vec!["skip", "spooky-days/2026-01-02/1", "--reason", "x"],
            1,
            "is over",
        ),
        (
            vec!["skip", "spooky-days/2040-11-11/1", "--reason", "x"],
            1,
            "remembrance",
        ),
        (
            vec!["skip", "spooky-days/2040-10-30/9", "--reason", "x"],
            1,
            "has no observance to change",
        ),
        (
            vec!["skip", "other-days/2040-10-30/1", "--reason", "x"],
            1,
            "has no bot \"other-days\"",
        ),
        (
            vec!["skip", "spooky-days/2040-10-30/1", "--undo"],
            1,
            "has no override",
        ),
        (vec!["override", &day], 2, "--day"),
        (vec!["override", &day, "--day", "x", "--undo"], 2, "--undo"),
        (
            vec!["override", "spooky-days/2040-10-30/1", "--day", " "],
            1,
            "--day is empty",
        ),
        (
            vec!["override", "spooky-days/2040-10-30/1", "--day", "a\nb"],
            1,
            "one plain line",
        ),
        (
            vec![
                "override",
                "spooky-days/2040-10-30/1",
                "--day",
                "Veterans Day",
            ],
            1,
            "is sensitive",
        ),
        (
            vec![
                "override",
                "spooky-days/2040-10-30/1",
                "--caption",
                "see example.com",
            ],
            1,
            "remove the link",
        ),
        (
            vec!["override", "spooky-days/2040-10-30/9", "--day", "x"],
            1,
            "comes after a slot without an observance",
        ),
        (vec!["delete", &day], 2, "--reason"),
        (vec!["delete", &day, "--reason", "x"], 1, "has no run"),
        (vec!["show"], 2, "<WHAT>"),
        (vec!["show", "yesterday"], 1, "write bot/date/slot"),
        (vec!["show", &day], 1, "has no run"),
        (vec!["show", unknown], 1, "spooky runs"),
        (vec!["run", "--date", "tomorrow"], 2, "such as 2026-10-30"),
        (vec!["run", "--date", "2026-02-30"], 2, "such as 2026-10-30"),
        (vec!["run", "--slot", "0"], 2, "--slot"),
        (
            vec!["run", "--bot", "other-days"],
            1,
            "has no bot \"other-days\"",
        ),
        (vec!["costs", "--month", "november"], 2, "such as 2026-11"),
        (
            vec!["costs", "--bot", "other-days"],
            1,
            "has no bot \"other-days\"",
        ),
        (vec!["runs", "--bot", "x"], 2, "--bot"),
        (
            vec!["status", "--bot", "other-days"],
            1,
            "has no bot \"other-days\"",
        ),
        (
            vec!["approvals", "--bot", "other-days"],
            1,
            "has no bot \"other-days\"",
        ),
        (vec!["doctor", "--bot", "other-days"], 1, "2 of "),
        (
            vec!["pause", "--bot", "other-days", "--reason", "x"],
            1,
            "has no bot \"other-days\"",
        ),
        (
            vec!["resume", "--bot", "other-days"],
            1,
            "has no bot \"other-days\"",
        ),
        (vec!["resume"], 1, "is not paused"),
        (vec!["resume", "--by", ""], 1, "--by is empty"),
        (vec!["approve", &day], 1, "has no approval"),
        (
            vec!["approve", &day, "--by", "policy"],
            1,
            "--by must be your name",
        ),
        (vec!["approve", "x"], 2, "write bot/date/slot"),
        (vec!["regenerate", &day], 1, "spooky approvals"),
        (vec!["reject", &day], 2, "--reason"),
        (vec!["reject", &day, "--reason", "x"], 1, "has no approval"),
        (vec!["allow-late", &day], 2, "--reason"),
        (vec!["demo", "--date", "soon"], 2, "such as 2026-10-30"),
        (vec!["demo", "--env", "prod"], 1, "omit --env and --profile"),
        (vec!["demo", "--live-post"], 1, "X_API_KEY"),
        (vec!["local", "--bot", "other-days"], 1, "is there a bot"),
        (vec!["local", "--live-image"], 1, "OPENAI_API_KEY"),
        (vec!["preview", "--bot", "other-days"], 1, "is there a bot"),
        (vec!["preview", "--month", "2026"], 2, "like 2026-10"),
        (
            vec!["calendar", "import", "nowhere.json"],
            1,
            "nowhere.json",
        ),
        (
            vec!["calendar", "preview", "--from", "x"],
            2,
            "such as 2026-10-30",
        ),
        (
            vec!["calendar", "check", "--bot", "other-days"],
            1,
            "is there a bot",
        ),
        (
            vec!["calendar", "gaps", "--bot", "other-days"],
            1,
            "is there a bot",
        ),
        (
            vec!["estimate", "--env", "prod"],
            1,
            "omit --env and --profile",
        ),
        (vec!["nonsense"], 2, "--help"),
    ];
    for command in spooky::Cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(
            cases.iter().any(|(arguments, _, _)| arguments[0] == name),
            "no case for {name}"
        );
    }
    for (arguments, code, says) in &cases {
        let printed = cli.spooky(arguments).await;
        assert_eq!(printed.code, Some(*code), "{arguments:?}: {printed:?}");
        assert!(printed.err.contains(says), "{arguments:?}: {}", printed.err);
    }
    let unavailable = Kind::Html { status: 500 };
    fixture.x.fail(Fault::always("upload", unavailable));
    fixture.run_date(DATE).await;
    let printed = cli
        .spooky(&["allow-late", &day, "--reason", "x"])
        .await
        .refused();
    assert!(printed.contains("cannot be late"), "{printed}");
}
