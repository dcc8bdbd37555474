//! What a dry run would have sent.

use post_tweet::{Input, Output, Status};
use serde_json::{Value, json};

use crate::setting::{EXECUTION, Setting};

impl Setting {
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
async fn a_dry_run_tells_exactly_what_a_post_sends_and_sends_nothing() {
    let setting = Setting::new().await;
    let input = setting.claim_dry(json!({})).await;
    // Not even the credentials are read.
    setting.delete_secret().await;
    let dry = setting.dry(&input).await;
    assert_eq!(
        (dry.status, &dry.id, dry.cost_usd),
        (Status::DryRun, &None, 0.0)
    );
    assert_eq!(dry.reason, None);
    assert!(setting.x.requests().is_empty());
    let record = setting
        .clients
        .table
        .read(&input.post.parse().unwrap())
        .await;
    assert_eq!(json!(record.unwrap())["ledger"], "claimed");

    // The same content, posted.
    let setting = Setting::new().await;
    setting.enter(0).await.unwrap();
    let sent = setting.x.requests();
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
    assert_eq!(upload["media"]["bytes"], setting.picture.len());
}

#[tokio::test]
async fn a_dry_run_says_why_a_post_would_not_be_sent() {
    let setting = Setting::new().await;
    let input = setting
        .claim_dry(json!({"notAfter": setting.at(5).as_second()}))
        .await;
    let reason = setting.dry(&input).await.reason.unwrap();
    assert!(reason.contains("too late"), "{reason}");
    setting
        .put(json!({"pk": "spooky-days#settings", "sk": "switch", "reason": "a bad joke"}))
        .await;
    let dry = setting.dry(&input).await;
    assert_eq!(dry.reason.as_deref(), Some("paused: a bad joke"));
    assert_eq!(dry.requests.len(), 3);
    // What could not be posted fails here, too.
    let long = Input {
        caption: "x".repeat(300),
        ..input
    };
    let error = setting.enter_with(20, long).await.unwrap_err();
    assert_eq!(<&str>::from(&error), "InvalidInput");
    assert!(setting.x.requests().is_empty());
}
