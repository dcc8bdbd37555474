//! The local cloud stops, in order or not, and starts again: what was running goes on.

use deployment::{Deployment, ad_hoc, scheduled};
use fakes::{Fault, Kind, openai};
use jiff::Timestamp;
use local_cloud::Account;
use post::Outcome;
use posts_table::Ledger;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout},
};

use crate::{
    approval::{Page, link},
    fixture::{BOT, CommandLine, post, until},
};

/// A `spooky local` that is up.
struct Local {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// What it said until it was up.
    told: Vec<String>,
}

impl Local {
    async fn start(cli: &CommandLine, openai: &str) -> Local {
        let mut child = cli.start(&["local", "--openai-url", openai]);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            let up = line.contains("the next start resumes from its state");
            told.push(line);
            if up {
                return Local { child, lines, told };
            }
        }
        let output = child.wait_with_output().await.unwrap();
        panic!(
            "it ended: {told:?} {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    async fn signal(&self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        let mut kill = tokio::process::Command::new("kill");
        assert!(kill.args([signal, &id]).status().await.unwrap().success());
    }

    async fn ends(mut self) -> Option<i32> {
        // Reading on, so that it never waits for someone who reads.
        while self.lines.next_line().await.unwrap().is_some() {}
        self.child.wait().await.unwrap().code()
    }
}

/// Where it is, as it says itself.
async fn cloud(cli: &CommandLine) -> (Account, Deployment) {
    let text = std::fs::read(cli.directory("local").join("local.json")).unwrap();
    let place: Value = serde_json::from_slice(&text).unwrap();
    let account = Account::at(
        place["url"].as_str().unwrap(),
        place["account"].as_str().unwrap(),
    );
    let cloud = local_cloud::connect(&account).await;
    (account, cloud)
}

async fn waits(cloud: &Deployment, date: &str) {
    until(&format!("the approval of {date}"), async || {
        let approval = cloud.table.approval(&post(date, 1), 1).await.unwrap();
        approval?.task_token
    })
    .await;
}

async fn state(cloud: &Deployment, date: &str) -> Option<String> {
    let record = cloud.table.read(&post(date, 1)).await.unwrap()?;
    let states = cloud.states(&record.execution).await.ok()?;
    states.last().map(|state| state.name.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_running_goes_on_after_ctrl_c_and_after_a_kill() {
    let openai = openai::start(openai::Options {
        port: 0,
        api_key: "fake-key".to_owned(),
    })
    .await
    .unwrap();
    let cli = CommandLine::of_its_own().await;
    let local = Local::start(&cli, &openai.base_url()).await;
    let (account, fixture) = cloud(&cli).await;
    let printed = cli.spooky(&["local"]).await.refused();
    assert!(
        printed.contains("another `spooky local` runs here"),
        "{printed}"
    );

    // One waits for its approver, one for its slot, and one is in the middle of its picture.
    let (asking, coming, painting) = ("2026-10-30", "2040-10-29", "2026-12-24");
    let start = async |input: Value| fixture.start(&input).await.unwrap();
    start(ad_hoc(BOT, asking.parse().unwrap(), 1)).await;
    waits(&fixture, asking).await;
    let at: Timestamp = "2040-10-29T10:00:00Z".parse().unwrap();
    start(scheduled(BOT, 1, at)).await;
    waits(&fixture, coming).await;
    let coming_post = format!("{BOT}/{coming}/1");
    cli.spooky(&["approve", &coming_post]).await.ok();
    until("the wait for the slot", async || {
        (state(&fixture, coming).await? == "AwaitSlot").then_some(())
    })
    .await;
    openai.fail(Fault::always("images", Kind::Hang));
    let painted = openai.requests().len();
    start(ad_hoc(BOT, painting.parse().unwrap(), 1)).await;
    until("the request for the picture", async || {
        (openai.requests().len() > painted).then_some(())
    })
    .await;
    let mails = account.mails().await.unwrap();
    let page = link(&mails[0].body_text);

    // Ctrl-C, and then a kill that no one can prepare for.
    let mut local = local;
    for signal in ["-INT", "-KILL"] {
        local.signal(signal).await;
        let code = local.ends().await;
        assert_eq!(code, (signal == "-INT").then_some(130), "{signal}");
        if signal == "-KILL" {
            // Before the run is resumed: a request that the fault has caught hangs until the function times out.
            openai.clear_faults();
        }
        local = Local::start(&cli, &openai.base_url()).await;
        for date in [asking, coming, painting] {
            let line = format!("resumed {BOT}/{date}/1");
            let told = local.told.iter().filter(|told| told.contains(&line));
            assert_eq!(told.count(), 1, "{signal} {date}: {:?}", local.told);
        }
        let (_, fixture) = cloud(&cli).await;
        until("the wait for the slot", async || {
            (state(&fixture, coming).await? == "AwaitSlot").then_some(())
        })
        .await;
        // A run that has not entered a state yet has nothing to resume from.
        until("the wait for the approver", async || {
            (state(&fixture, asking).await? == "AwaitApproval").then_some(())
        })
        .await;
        let lines = fixture.table.audit_trail(&post(asking, 1)).await.unwrap();
        let line = lines
            .iter()
            .rfind(|line| line.what.to_string() == "continued")
            .unwrap();
        assert_eq!(line.details["reason"], "restart of the local cloud");
    }

    // The link of the first mail still leads to the page; a decision there, and one from the terminal, end the runs.
    let (_, fixture) = cloud(&cli).await;
    let page = Page::open(&page).await;
    assert_eq!(page.answer(&[("answer", "approve")]).await.status(), 303);
    waits(&fixture, painting).await;
    let painting_post = format!("{BOT}/{painting}/1");
    until("the approval from the terminal", async || {
        let printed = cli.spooky(&["approve", &painting_post]).await;
        (printed.code == Some(0)).then_some(())
    })
    .await;
    for date in [asking, painting] {
        let record = until(&format!("the end of {date}"), async || {
            let record = fixture.table.read(&post(date, 1)).await.unwrap()?;
            record.outcome.is_some().then_some(record)
        })
        .await;
        assert_eq!(record.outcome, Some(Outcome::Posted), "{date}");
        assert_eq!(record.ledger, Ledger::Posted, "{date}");
    }
    let runs = cli.spooky(&["runs", "--json"]).await.json();
    assert_eq!(runs.as_array().unwrap().len(), 3, "{runs}");
    for run in runs.as_array().unwrap() {
        assert_eq!(run["redrives"], 2, "{run}");
    }
    local.signal("-TERM").await;
    assert_eq!(local.ends().await, Some(130));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emulator_that_lost_both_its_parents_is_ended_and_its_state_found() {
    let openai = openai::start(openai::Options {
        port: 0,
        api_key: "fake-key".to_owned(),
    })
    .await
    .unwrap();
    let cli = CommandLine::of_its_own().await;
    let local = Local::start(&cli, &openai.base_url()).await;
    cli.spooky(&["pause", "--reason", "a storm"]).await.ok();
    // What watches over the emulator is the parent of its process.
    let pid = std::fs::read_to_string(cli.directory("local/cloud").join("ministack.pid"));
    let mut ps = tokio::process::Command::new("ps");
    let parent = ps
        .args(["-o", "ppid=", "-p", pid.unwrap().trim()])
        .output()
        .await
        .unwrap();
    let supervisor = String::from_utf8(parent.stdout).unwrap().trim().to_owned();
    for id in [supervisor, local.child.id().unwrap().to_string()] {
        let mut kill = tokio::process::Command::new("kill");
        assert!(kill.args(["-KILL", &id]).status().await.unwrap().success());
    }
    assert_eq!(local.ends().await, None);
    let local = Local::start(&cli, &openai.base_url()).await;
    let printed = cli.spooky(&["status"]).await.ok();
    assert!(printed.contains("a storm"), "{printed}");
    local.signal("-INT").await;
    assert_eq!(local.ends().await, Some(130));
}
