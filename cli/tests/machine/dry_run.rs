//! Dry runs, by the whole machine.

use deployment::dry_run;
use jiff::civil::Date;
use post::Outcome;
use serde_json::{Value, json};

use crate::fixture::{BOT, CommandLine, Fixture};

const DATE: &str = "2026-10-30";

fn date() -> Date {
    DATE.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_goes_through_every_state_and_asks_nobody_for_anything() {
    let fixture = Fixture::asking().await;
    let ended = fixture.run(dry_run(BOT, date(), 1)).await;
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let output = &ended.output;
    assert_eq!(output["record"]["outcome"], "dry-run");
    let states: Vec<&str> = ended.states.iter().map(|s| s.name.as_str()).collect();
    for state in [
        "GenerateImage",
        "StoreImage",
        "RequestApproval",
        "AwaitSlot",
        "PostTweet",
    ] {
        assert!(states.contains(&state), "{states:?}");
    }
    assert!(!states.contains(&"AwaitApproval"));
    assert_eq!(output["approval"]["decision"]["by"], "dry run");
    let key = output["image"]["key"].as_str().unwrap();
    assert!(key.starts_with("pictures/dry-runs/spooky-days/"), "{key}");
    let picture = fixture.cloud.picture(key).await.unwrap();
    assert!(String::from_utf8_lossy(&picture).contains("trainedAlgorithmicMedia"));
    let requests = output["tweet"]["requests"].as_array().unwrap();
    assert_eq!(
        requests[2]["url"],
        format!("{}/2/tweets", fixture.x.base_url())
    );
    assert_eq!(requests[2]["json"]["text"], output["prompt"]["caption"]);

    // It is on record, under its own name.
    let name = output["day"]["post"].as_str().unwrap();
    let shown = CommandLine::new(&fixture)
        .spooky(&["show", name, "--json"])
        .await
        .json();
    assert_eq!(shown["outcome"], "dry-run");
    assert_eq!(
        shown["result"]["tweet"]["requests"],
        output["tweet"]["requests"]
    );
    assert!(shown["expiresAt"].is_i64());

    // A caller of post-tweet for it once more, with whatever input, still posts nothing.
    let image = json!({"key": output["image"]["key"], "sha256": output["image"]["sha256"]});
    let payload = json!({
        "execution": ended.execution, "post": name, "image": image,
        "caption": output["prompt"]["caption"], "altText": output["prompt"]["altText"],
    });
    let answer = fixture.cloud.invoke("post-tweet", &payload).await.unwrap();
    assert_eq!(answer["status"], "dry-run", "{answer}");
    let payload = Value::Object(
        payload
            .as_object()
            .unwrap()
            .clone()
            .into_iter()
            .chain([("post".to_owned(), json!("spooky-days/2026-10-30/1"))])
            .collect(),
    );
    let answer = fixture.cloud.invoke("post-tweet", &payload).await.unwrap();
    assert_eq!(answer["errorType"], "ClaimLost", "{answer}");

    assert!(fixture.openai.requests().is_empty());
    assert!(fixture.x.requests().is_empty());
    assert!(fixture.record(DATE).await.is_none());
    fixture.cloud.run_watchdog().await.unwrap();
    let costs = CommandLine::new(&fixture)
        .spooky(&["costs", "--json"])
        .await
        .json();
    assert_eq!(
        (&costs["committedUsd"], &costs["days"]),
        (&json!(0.0), &json!([]))
    );
    assert!(!format!("{:?}", fixture.account.mails().await.unwrap()).contains("dry-run"));

    // The slot is as free as before, and its post is the one that was shown.
    fixture
        .edit_bot(&[("policy = \"required\"", "policy = \"off\"")])
        .await;
    let real = fixture.run_date(DATE).await;
    assert_eq!(
        fixture.record(DATE).await.unwrap().outcome,
        Some(Outcome::Posted)
    );
    assert_eq!(real.output["prompt"], output["prompt"]);
    let sent = fixture.x.requests();
    let names: Vec<&str> = sent.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["upload", "metadata", "create-tweet"]);
    assert_eq!(sent[2].1["text"], requests[2]["json"]["text"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_shows_what_would_be_sent_also_while_the_bot_is_paused() {
    let fixture = Fixture::asking().await;
    let cli = CommandLine::new(&fixture);
    cli.spooky(&["pause", "--reason", "a bad joke"]).await.ok();
    let dry = ["run", "--dry-run", "--date", DATE];
    let printed = cli.spooky(&dry).await.ok();
    for part in [
        "spooky-days/2026-10-30/1/dry-run-",
        "a real run would have posted nothing: paused: a bad joke",
        "Haunted Refrigerator Night",
        "/2/tweets",
        "\"made_with_ai\": true",
    ] {
        assert!(printed.contains(part), "no {part} in {printed}");
    }
    let told = cli.spooky(&[&dry[..], &["--json"]].concat()).await.json();
    assert_eq!(told["output"]["day"]["wouldSkip"], "paused: a bad joke");
    assert_eq!(
        told["output"]["tweet"]["requests"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert!(fixture.x.requests().is_empty() && fixture.openai.requests().is_empty());

    // What is done to posts by hand is not done to a dry run.
    let name = told["output"]["day"]["post"].as_str().unwrap();
    let again = cli.spooky(&["run", "--again", name, "--reason", "x"]).await;
    assert!(again.refused().contains("--dry-run"));
    let failed = fixture.run(dry_run("no-such-bot", date(), 1)).await;
    assert_eq!(failed.status, "FAILED");
    let redrive = cli.spooky(&["redrive", &failed.execution]).await;
    assert!(redrive.refused().contains("--dry-run"));
}
