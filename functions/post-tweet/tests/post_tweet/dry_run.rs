//! The requests that a dry run would have sent.

use post_tweet::{Input, Output, Status};
use serde_json::{Value, json};

use crate::fixture::{EXECUTION, Fixture};

impl Fixture {
    async fn claim_dry(&self, changes: Value) -> Input {
        let dry = self.post.dry_run_of(EXECUTION);
        let mut record = json!({
            "post": dry.to_string(), "execution": EXECUTION, "claimedAt": self.at(0), "ledger": "claimed",
            "day": {}, "approvalRequired": true,
        });
        record
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        let record = serde_json::from_value(record).unwrap();
        self.clients.table.claim(&dry, &record).await.unwrap();
        Input {
            post: dry.to_string(),
            ..self.input()
        }
    }

    async fn dry(&self, input: &Input) -> Output {
        self.enter_with(10, input.clone()).await.unwrap()
    }
}

#[tokio::test]
async fn a_dry_run_returns_exactly_what_a_post_sends_and_sends_nothing() {
    let fixture = Fixture::new().await;
    let input = fixture.claim_dry(json!({})).await;
    // The credentials are not read.
    fixture.delete_secret().await;
    let dry = fixture.dry(&input).await;
    assert_eq!(
        (dry.status, &dry.id, dry.cost_usd),
        (Status::DryRun, &None, 0.0)
    );
    assert_eq!(dry.reason, None);
    assert!(fixture.x.requests().is_empty());
    let record = fixture
        .clients
        .table
        .read(&input.post.parse().unwrap())
        .await;
    assert_eq!(json!(record.unwrap())["ledger"], "claimed");

    // The same content, posted.
    let fixture = Fixture::new().await;
    fixture.enter(0).await.unwrap();
    let sent = fixture.x.requests();
    assert_eq!(sent.len(), dry.requests.len());
    let media = sent[1].1["id"].as_str().unwrap();
    let placeholder = dry.requests[1]["json"]["id"].as_str().unwrap();
    for (request, (_, body)) in dry.requests.iter().zip(&sent).skip(1) {
        let text = request["json"].to_string().replace(placeholder, media);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), *body);
    }
    let addresses: Vec<&str> = dry
        .requests
        .iter()
        .map(|request| {
            assert_eq!(request["method"], "POST");
            let url = request["url"].as_str().unwrap();
            &url[url.find("/2/").unwrap()..]
        })
        .collect();
    assert_eq!(
        addresses,
        ["/2/media/upload", "/2/media/metadata", "/2/tweets"]
    );
    let upload = &dry.requests[0]["multipart"];
    assert_eq!(upload["media_category"], "tweet_image");
    assert_eq!(upload["media"]["bytes"], fixture.picture.len());
}

#[tokio::test]
async fn a_dry_run_returns_why_a_post_would_be_skipped() {
    let fixture = Fixture::new().await;
    let input = fixture
        .claim_dry(json!({"notAfter": fixture.at(5).as_second()}))
        .await;
    let reason = fixture.dry(&input).await.reason.unwrap();
    assert!(reason.contains("too late"), "{reason}");
    fixture
        .put(json!({"pk": "spooky-days#settings", "sk": "switch", "reason": "a bad joke"}))
        .await;
    let dry = fixture.dry(&input).await;
    assert_eq!(dry.reason.as_deref(), Some("paused: a bad joke"));
    assert_eq!(dry.requests.len(), 3);
    // A text that cannot be posted fails in a dry run as well.
    let long = Input {
        caption: "x".repeat(300),
        ..input
    };
    let error = fixture.enter_with(20, long).await.unwrap_err();
    assert_eq!(<&str>::from(&error), "InvalidInput");
    assert!(fixture.x.requests().is_empty());
}
