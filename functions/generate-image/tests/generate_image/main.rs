//! The real function against the emulator and HTTP servers: the request to OpenAI, what is stored, and the name of each
//! error.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

mod fixture;

use fakes::{Fault, Kind};
use fixture::*;
use generate_image::{Clients, Input, Output};
use posts_table::{Caps, Micros};
use serde_json::{Value, json};
use test_kit::{binary::Binary, endpoints};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{header, method, path},
};

#[tokio::test]
async fn a_picture_is_requested_once_and_stored_with_its_cost() {
    let openai = fake_openai().await.unwrap();
    let fixture = Fixture::new(&openai.base_url()).await.unwrap();

    let draft = fixture.generate(input()).await.unwrap();

    // Every field is one of the documented CreateImageRequest; `response_format` and `style` are refused for these
    // models, and every field that is not sent has a default that can change.
    assert_eq!(
        openai.requests(),
        [json!({
            "model": "gpt-image-2.6-flare",
            "prompt": PROMPT,
            "n": 1,
            "size": "1024x1024",
            "quality": "medium",
            "output_format": "jpeg",
        })]
    );
    let usage = draft.usage.clone().unwrap();
    let cost = (usage.input_tokens as f64 * 5.0 + usage.output_tokens as f64 * 30.0) / 1e6;
    assert!(usage.output_tokens > 0);
    assert!(
        (draft.cost_usd - cost).abs() < 1e-9,
        "{} {cost}",
        draft.cost_usd
    );
    assert!(!draft.cost_is_estimated && !draft.found);
    assert!(
        draft.key.starts_with("drafts/spooky-days/2026-10-30/1/1-") && draft.key.ends_with(".jpeg"),
        "{}",
        draft.key
    );
    assert_eq!(draft.content_type, "image/jpeg");
    assert_eq!(draft.model, "gpt-image-2.6-flare");
    assert_eq!(draft.size, "1024x1024");
    assert_eq!(draft.quality, "medium");
    let stored = fixture
        .s3
        .head_object()
        .bucket(&fixture.config.image_bucket)
        .key(&draft.key)
        .send()
        .await
        .unwrap();
    assert_eq!(stored.content_type(), Some("image/jpeg"));
    let metadata: Value = serde_json::from_str(&stored.metadata().unwrap()["draft"]).unwrap();
    assert_eq!(metadata, serde_json::to_value(&draft).unwrap());
    assert!(
        fixture
            .bytes(&draft.key)
            .await
            .unwrap()
            .starts_with(&[0xFF, 0xD8])
    );
}

#[tokio::test]
async fn the_request_is_authorized_and_has_the_documented_body() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/images/generations"))
        .and(header("authorization", format!("Bearer {KEY}").as_str()))
        .and(header("content-type", "application/json"))
        .respond_with(ResponseTemplate::new(200).set_body_json(picture_json(b"picture")))
        .expect(1)
        .mount(&server)
        .await;
    // A slash at the end of the address does not double in the path.
    let fixture = Fixture::new(&format!("{}/v1/", server.uri()))
        .await
        .unwrap();

    let draft = fixture.generate(input()).await.unwrap();

    assert_eq!(fixture.bytes(&draft.key).await.unwrap(), b"picture");
    let request = &server.received_requests().await.unwrap()[0];
    let agent = request.headers.get("user-agent").unwrap();
    assert!(
        agent.to_str().unwrap().starts_with("spooky-days/"),
        "{agent:?}"
    );
    assert!(!String::from_utf8_lossy(&request.body).contains(KEY));
}

#[tokio::test]
async fn each_format_is_stored_under_its_name_and_content_type() {
    let openai = fake_openai().await.unwrap();
    let fixture = Fixture::new(&openai.base_url()).await.unwrap();
    for format in ["jpeg", "png", "webp"] {
        let mut input = input();
        input.picture.format = format.to_owned();
        let draft = fixture.generate(input).await.unwrap();
        assert_eq!(draft.content_type, format!("image/{format}"));
        assert!(draft.key.ends_with(&format!(".{format}")), "{}", draft.key);
        assert_eq!(openai.requests().last().unwrap()["output_format"], format);
    }
    assert_eq!(fixture.versions().await.unwrap().len(), 3);
}

#[tokio::test]
async fn an_invocation_that_enters_again_finds_the_draft_and_pays_nothing() {
    let openai = fake_openai().await.unwrap();
    let fixture = Fixture::new(&openai.base_url()).await.unwrap();
    let first = fixture.generate(input()).await.unwrap();
    // Neither the key nor OpenAI is needed again.
    fixture.set_secret("gone").await.unwrap();
    openai.fail(Fault::always("images", Kind::Html { status: 500 }));

    let again = fixture.generate(input()).await.unwrap();

    assert_eq!(
        again,
        Output {
            found: true,
            ..first
        }
    );
    assert_eq!(openai.requests().len(), 1);
    assert_eq!(fixture.versions().await.unwrap(), [again.key]);
}

#[tokio::test]
async fn another_post_round_prompt_or_picture_is_another_draft() {
    let (server, fixture) =
        answering(ResponseTemplate::new(200).set_body_json(picture_json(b"picture")))
            .await
            .unwrap();
    let changes: [Change; 8] = [
        |_| {},
        |input| input.post = "spooky-days/2026-10-30/2".to_owned(),
        |input| input.post = "spooky-days/2027-10-30/1".to_owned(),
        |input| input.round = Some(2),
        |input| input.prompt = "Something softer".to_owned(),
        |input| input.picture.model = "gpt-image-2".to_owned(),
        |input| input.picture.size = "1536x1024".to_owned(),
        |input| input.picture.quality = "high".to_owned(),
    ];
    let mut keys = Vec::new();
    for change in changes {
        let mut input = input();
        change(&mut input);
        keys.push(fixture.generate(input).await.unwrap().key);
    }
    // Without a round it is the first one.
    let silent = Input {
        round: None,
        ..input()
    };
    assert_eq!(fixture.generate(silent).await.unwrap().key, keys[0]);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), changes.len());
    assert_eq!(attempts(&server).await, changes.len());
}

#[tokio::test]
async fn two_invocations_at_the_same_moment_store_one_draft_and_return_it() {
    let answers = [b"one", b"two"].map(|picture| Canned {
        text: http_json(&picture_json(picture), 0),
        closes: true,
    });
    let (url, served) = patient(answers.into()).await.unwrap();
    let fixture = Fixture::new(&url).await.unwrap();

    let (one, other) = tokio::join!(fixture.generate(input()), fixture.generate(input()));

    served.await.unwrap().unwrap();
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_ne!(one.found, other.found);
    assert_eq!(
        Output {
            found: false,
            ..one.clone()
        },
        Output {
            found: false,
            ..other
        }
    );
    assert_eq!(fixture.versions().await.unwrap(), [one.key]);
}

#[tokio::test]
async fn each_refusal_of_openai_has_its_error_name_and_is_requested_once() {
    let openai = fake_openai().await.unwrap();
    let fixture = Fixture::new(&openai.base_url()).await.unwrap();
    let rows: [(u16, &str, Option<&str>, &str); 28] = [
        (
            429,
            "rate_limit_error",
            Some("rate_limit_exceeded"),
            "RateLimited",
        ),
        (429, "requests", Some("rate_limit_exceeded"), "RateLimited"),
        (429, "rate_limit_error", Some("slow_down"), "RateLimited"),
        (429, "tokens", None, "RateLimited"),
        (
            429,
            "insufficient_quota",
            Some("credit_balance_exhausted"),
            "OutOfCredit",
        ),
        (
            429,
            "insufficient_quota",
            Some("organization_spend_limit_exceeded"),
            "OutOfCredit",
        ),
        (
            429,
            "insufficient_quota",
            Some("project_spend_limit_exceeded"),
            "OutOfCredit",
        ),
        (
            429,
            "insufficient_quota",
            Some("organization_usage_limit_exceeded"),
            "OutOfCredit",
        ),
        (
            429,
            "insufficient_quota",
            Some("insufficient_quota"),
            "OutOfCredit",
        ),
        (429, "insufficient_quota", None, "OutOfCredit"),
        (
            429,
            "billing",
            Some("credit_balance_exhausted"),
            "OutOfCredit",
        ),
        (402, "billing_error", None, "OutOfCredit"),
        (
            400,
            "image_generation_user_error",
            Some("moderation_blocked"),
            "PromptRejected",
        ),
        (
            400,
            "invalid_request_error",
            Some("content_policy_violation"),
            "PromptRejected",
        ),
        (
            404,
            "invalid_request_error",
            Some("model_not_found"),
            "ModelGone",
        ),
        (
            400,
            "invalid_request_error",
            Some("model_not_found"),
            "ModelGone",
        ),
        (
            401,
            "invalid_request_error",
            Some("invalid_api_key"),
            "Unauthorized",
        ),
        (403, "invalid_request_error", None, "Unauthorized"),
        (
            400,
            "invalid_request_error",
            Some("invalid_value"),
            "RequestRejected",
        ),
        (400, "invalid_request_error", None, "RequestRejected"),
        (413, "invalid_request_error", None, "RequestRejected"),
        (422, "invalid_request_error", None, "RequestRejected"),
        (408, "timeout", None, "ServiceFailed"),
        (409, "conflict", None, "ServiceUnavailable"),
        (500, "server_error", None, "ServiceFailed"),
        (
            503,
            "service_unavailable_error",
            Some("server_is_overloaded"),
            "ServiceUnavailable",
        ),
        (504, "server_error", None, "ServiceFailed"),
        (529, "overloaded", None, "ServiceUnavailable"),
    ];
    let mut spent = 0;
    for (i, (status, kind, code, name)) in rows.into_iter().enumerate() {
        let said = format!("Explanation {i}\nin two lines.");
        let body = json!({"error": {"message": said, "type": kind, "param": null, "code": code}});
        openai.fail(Fault::once("images", Kind::Status { status, body }));

        let (error, message) = fixture.refused(input()).await;

        assert_eq!(error, name, "{status} {kind} {code:?}: {message}");
        assert!(
            message.contains(&format!("Explanation {i}")) && message.contains(&status.to_string()),
            "{message}"
        );
        assert_eq!(openai.requests().len(), i + 1, "{status} {kind} {code:?}");
        // Whether OpenAI charges for these is unknown.
        if ["PromptRejected", "ServiceFailed"].contains(&name) {
            spent += most();
        }
        assert_eq!(
            fixture.money().await,
            (spent, 0),
            "{status} {kind} {code:?}"
        );
    }
    assert!(fixture.versions().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_refusal_without_the_documented_json_is_read_by_its_status() {
    let rows = [
        (500, "ServiceFailed"),
        (502, "ServiceFailed"),
        (503, "ServiceUnavailable"),
        (429, "RateLimited"),
        (403, "Unauthorized"),
        (400, "RequestRejected"),
    ];
    let bodies = [
        "<!doctype html><title>Oops</title>".to_owned(),
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        json!({"error": null}).to_string(),
        json!({"error": "busy"}).to_string(),
        json!({"error": {"message": null, "type": null, "code": null}}).to_string(),
        json!({"error": {"message": {"text": "busy"}, "code": 17}}).to_string(),
    ];
    for body in bodies {
        for (status, name) in rows {
            let answer = ResponseTemplate::new(status).set_body_string(body.clone());
            let (server, fixture) = answering(answer).await.unwrap();
            let (error, message) = fixture.refused(input()).await;
            assert_eq!(error, name, "{status} {body:?}: {message}");
            assert!(!message.contains("<!doctype"), "{message}");
            assert_eq!(attempts(&server).await, 1);
        }
    }
}

#[tokio::test]
async fn a_number_for_a_code_does_not_hide_the_message_of_openai() {
    let body = json!({"error": {"message": "Too much.", "type": "insufficient_quota", "code": 17}});
    let (_server, fixture) = answering(ResponseTemplate::new(429).set_body_json(body))
        .await
        .unwrap();
    let (name, message) = fixture.refused(input()).await;
    assert_eq!(name, "OutOfCredit", "{message}");
    assert!(message.contains("Too much."), "{message}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_key_is_not_sent_there() {
    let elsewhere = MockServer::start().await;
    let answer = ResponseTemplate::new(307).insert_header("location", elsewhere.uri().as_str());
    let (server, fixture) = answering(answer).await.unwrap();
    assert_eq!(fixture.refused(input()).await.0, "ServiceUnavailable");
    assert_eq!(attempts(&server).await, 1);
    assert_eq!(attempts(&elsewhere).await, 0);
}

#[tokio::test]
async fn a_refusal_names_the_request_id_for_openais_support() {
    let body = json!({"error": {"message": "No.", "type": "server_error", "code": null}});
    let answer = ResponseTemplate::new(500)
        .insert_header("x-request-id", "req_0123")
        .set_body_json(body);
    let (_server, fixture) = answering(answer).await.unwrap();
    let (_, message) = fixture.refused(input()).await;
    assert!(message.contains("req_0123"), "{message}");
}

#[tokio::test]
async fn a_refusal_that_quotes_the_key_does_not_leak_it() {
    for said in [
        format!("Incorrect API key provided: {KEY}. You can find your API key elsewhere."),
        format!("The key {KEY} is not allowed to use this model."),
        format!("{KEY}{KEY}"),
        format!("Bearer {KEY}"),
    ] {
        for status in [400, 401, 403, 429, 500] {
            let body = json!({"error": {"message": said, "type": said, "code": said}});
            let (_server, fixture) = answering(ResponseTemplate::new(status).set_body_json(body))
                .await
                .unwrap();
            // `refused` searches the message for the key.
            fixture.refused(input()).await;
        }
    }
}

#[tokio::test]
async fn the_message_of_a_refusal_is_short() {
    let body = json!({"error": {"message": "no ".repeat(5000), "type": "x", "code": "x"}});
    let (_server, fixture) = answering(ResponseTemplate::new(400).set_body_json(body))
        .await
        .unwrap();
    let (_, message) = fixture.refused(input()).await;
    assert!(message.len() < 1000, "{}", message.len());
}

#[tokio::test]
async fn a_refused_connection_is_unavailable() {
    let url = format!("{}/v1", endpoints::refusing_connections());
    let fixture = Fixture::new(&url).await.unwrap();
    let (name, message) = fixture.refused(input()).await;
    assert_eq!(name, "ServiceUnavailable", "{message}");
    assert!(message.contains("OpenAI"), "{message}");
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_may_have_cost_a_picture() {
    for kind in [Kind::ResetBefore, Kind::ResetAfter] {
        let openai = fake_openai().await.unwrap();
        let fixture = Fixture::new(&openai.base_url()).await.unwrap();
        openai.fail(Fault::always("images", kind.clone()));
        let (name, message) = fixture.refused(input()).await;
        assert_eq!(name, "NoPicture", "{kind:?}: {message}");
        assert!(message.contains("may have been paid"), "{message}");
        assert_eq!(openai.requests().len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_may_have_cost_a_picture() {
    let (url, served) = patient(vec![Canned {
        text: http_json(&picture_json(b"picture"), 10),
        closes: true,
    }])
    .await
    .unwrap();
    let fixture = Fixture::new(&url).await.unwrap();
    let (name, message) = fixture.refused(input()).await;
    served.await.unwrap().unwrap();
    assert_eq!(name, "NoPicture", "{message}");
    assert!(message.contains("may have been paid"), "{message}");
}

#[tokio::test]
async fn no_answer_in_time_is_timed_out_and_may_have_cost_a_picture() {
    let openai = fake_openai().await.unwrap();
    let mut fixture = Fixture::new(&openai.base_url()).await.unwrap();
    fixture.config.timeout = SHORT_TIMEOUT;
    openai.fail(Fault::always("images", Kind::Hang));
    let (name, message) = fixture.refused(input()).await;
    assert_eq!(name, "TimedOut", "{message}");
    assert!(message.contains("may have been paid"), "{message}");
    assert_eq!(openai.requests().len(), 1);
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_is_timed_out() {
    let (url, served) = patient(vec![Canned {
        text: http_json(&picture_json(b"picture"), 10),
        closes: false,
    }])
    .await
    .unwrap();
    let mut fixture = Fixture::new(&url).await.unwrap();
    fixture.config.timeout = SHORT_TIMEOUT;
    let (name, message) = fixture.refused(input()).await;
    assert_eq!(name, "TimedOut", "{message}");
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_answer_without_a_picture_that_can_be_read_is_no_picture() {
    let usage = json!({"input_tokens": 1, "output_tokens": 1});
    let bodies = [
        "<!doctype html><title>Welcome</title>".to_owned(),
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        json!({}).to_string(),
        json!({"data": null, "usage": usage}).to_string(),
        json!({"data": []}).to_string(),
        json!({"data": [{}]}).to_string(),
        json!({"data": [{"b64_json": null}]}).to_string(),
        json!({"data": [{"url": "https://example.com/picture.png"}]}).to_string(),
        json!({"data": [{"b64_json": ""}]}).to_string(),
        json!({"data": [{"b64_json": "%%%"}]}).to_string(),
        json!({"data": [{"b64_json": "QUJ"}]}).to_string(),
        json!({"data": [{"b64_json": 17}]}).to_string(),
        json!({"data": [{"b64_json": "QUJD"}]}).to_string()[..20].to_owned(),
    ];
    for body in bodies {
        let answer = ResponseTemplate::new(200).set_body_string(body.clone());
        let (server, fixture) = answering(answer).await.unwrap();
        let (name, message) = fixture.refused(input()).await;
        assert_eq!(name, "NoPicture", "{body}: {message}");
        assert!(message.contains("may have been paid"), "{message}");
        assert!(!message.contains("<!doctype"), "{message}");
        assert_eq!(attempts(&server).await, 1, "{body}");
        assert!(fixture.versions().await.unwrap().is_empty(), "{body}");
    }
}

#[tokio::test]
async fn unknown_values_in_an_answer_do_not_lose_a_paid_picture() {
    let mut body = picture_json(b"picture");
    body["quality"] = json!("ghastly");
    body["size"] = json!("4096x4096");
    body["output_format"] = json!("hologram");
    body["background"] = json!({"kind": "fog"});
    body["created"] = json!("today");
    body["data"][0]["revised_prompt"] = json!("softer");
    body["usage"]["input_tokens_details"] = json!("none");
    body["something_else"] = json!([1, 2, 3]);
    let (_server, fixture) = answering(ResponseTemplate::new(200).set_body_json(body))
        .await
        .unwrap();

    let draft = fixture.generate(input()).await.unwrap();

    assert_eq!(draft.quality, "ghastly");
    assert_eq!(draft.size, "4096x4096");
    assert!((draft.cost_usd - 0.0305).abs() < 1e-9, "{}", draft.cost_usd);
    assert_eq!(fixture.bytes(&draft.key).await.unwrap(), b"picture");
}

#[tokio::test]
async fn a_missing_or_unreadable_count_gives_an_estimate_and_keeps_the_picture() {
    for usage in [
        None,
        Some(json!(null)),
        Some(json!({})),
        Some(json!({"input_tokens": 5})),
        Some(json!({"input_tokens": "5", "output_tokens": "6"})),
        Some(json!({"input_tokens": 5, "output_tokens": -1})),
        Some(json!("much")),
    ] {
        let mut body = picture_json(b"picture");
        match &usage {
            Some(usage) => body["usage"] = usage.clone(),
            None => drop(body.as_object_mut().unwrap().remove("usage")),
        }
        body["size"] = json!(null);
        body["quality"] = json!(7);
        let (_server, fixture) = answering(ResponseTemplate::new(200).set_body_json(body))
            .await
            .unwrap();

        let draft = fixture
            .generate(input())
            .await
            .unwrap_or_else(|error| panic!("{usage:?}: {error}"));

        assert!(draft.cost_is_estimated, "{usage:?}");
        assert_eq!(draft.usage, None);
        assert_eq!(Micros::from_usd(draft.cost_usd).0, most());
        assert_eq!(fixture.money().await, (most(), 0));
        assert_eq!(
            (draft.size.as_str(), draft.quality.as_str()),
            ("1024x1024", "medium")
        );
    }
}

#[tokio::test]
async fn an_estimate_grows_with_the_quality() {
    let mut body = picture_json(b"picture");
    body["usage"] = json!(null);
    let (_server, fixture) = answering(ResponseTemplate::new(200).set_body_json(body))
        .await
        .unwrap();
    let mut last = 0.0;
    for quality in ["low", "medium", "high", "max"] {
        let mut input = input();
        input.picture.quality = quality.to_owned();
        let draft = fixture.generate(input).await.unwrap();
        assert!(draft.cost_usd > last, "{quality}: {}", draft.cost_usd);
        last = draft.cost_usd;
    }
}

#[tokio::test]
async fn an_unusable_secret_is_named_and_not_quoted_and_nothing_is_requested() {
    let openai = fake_openai().await.unwrap();
    let fixture = Fixture::new(&openai.base_url()).await.unwrap();
    for value in [
        KEY.to_owned(),
        format!("\"{KEY}\""),
        format!("{{\"apiKey\": \"{KEY}"),
        json!({"api_key": KEY}).to_string(),
        json!({"apiKey": null, "other": KEY}).to_string(),
        json!({"apiKey": [KEY]}).to_string(),
        "null".to_owned(),
        "{}".to_owned(),
        json!({"apiKey": ""}).to_string(),
        json!({"apiKey": " "}).to_string(),
        // Pasted with a line break or with escape codes of a terminal, which no header can contain.
        json!({"apiKey": format!("{KEY}\r\n{KEY}")}).to_string(),
        json!({"apiKey": format!("\u{1b}[0m{KEY}")}).to_string(),
    ] {
        fixture.set_secret(&value).await.unwrap();
        let (name, message) = fixture.refused(input()).await;
        assert_eq!(name, "SecretUnusable", "{value}: {message}");
        assert!(
            message.contains(&fixture.config.openai_secret_arn) && message.contains("apiKey"),
            "{message}"
        );
    }
    assert!(openai.requests().is_empty());
}

#[tokio::test]
async fn a_key_with_whitespace_around_it_is_valid() {
    let openai = fake_openai().await.unwrap();
    let fixture = Fixture::new(&openai.base_url()).await.unwrap();
    fixture
        .set_secret(&json!({"apiKey": format!(" {KEY}\n")}).to_string())
        .await
        .unwrap();
    fixture.generate(input()).await.unwrap();
}

#[tokio::test]
async fn a_secret_that_is_missing_deleted_or_without_a_value_is_unusable() {
    let openai = fake_openai().await.unwrap();
    let mut fixture = Fixture::new(&openai.base_url()).await.unwrap();
    let right = fixture.config.openai_secret_arn.clone();
    let empty = fixture
        .secrets
        .create_secret()
        .name("empty")
        .send()
        .await
        .unwrap();
    for arn in [empty.arn.unwrap(), "nowhere".to_owned()] {
        fixture.config.openai_secret_arn = arn.clone();
        let (name, message) = fixture.refused(input()).await;
        assert_eq!(name, "SecretUnusable", "{arn}: {message}");
        assert!(
            message.contains(&arn) && message.contains("apiKey"),
            "{message}"
        );
    }
    fixture
        .secrets
        .delete_secret()
        .secret_id(&right)
        .send()
        .await
        .unwrap();
    fixture.config.openai_secret_arn = right;
    let (name, message) = fixture.refused(input()).await;
    assert_eq!(name, "SecretUnusable", "{message}");
    assert!(openai.requests().is_empty());
}

#[tokio::test]
async fn a_missing_bucket_is_noticed_before_anything_is_paid() {
    let openai = fake_openai().await.unwrap();
    let mut fixture = Fixture::new(&openai.base_url()).await.unwrap();
    fixture.config.image_bucket = "no-such-bucket-of-ours".to_owned();
    let (name, message) = fixture.refused(input()).await;
    assert_eq!(name, "Unexpected", "{message}");
    assert!(message.contains("NoSuchBucket"), "{message}");
    assert!(openai.requests().is_empty());
}

#[tokio::test]
async fn an_object_without_the_metadata_of_a_draft_is_not_a_draft() {
    let openai = fake_openai().await.unwrap();
    let fixture = Fixture::new(&openai.base_url()).await.unwrap();
    let key = fixture.generate(input()).await.unwrap().key;
    for metadata in [None, Some("not JSON")] {
        let mut put = fixture
            .s3
            .put_object()
            .bucket(&fixture.config.image_bucket)
            .key(&key);
        if let Some(metadata) = metadata {
            put = put.metadata("draft", metadata);
        }
        put.send().await.unwrap();
        let (name, message) = fixture.refused(input()).await;
        assert_eq!(name, "Unexpected", "{message}");
        assert!(message.contains(&key), "{message}");
    }
    assert_eq!(openai.requests().len(), 1);
}

#[tokio::test]
async fn aws_that_answers_5xx_or_refuses_the_connection_is_unavailable() {
    let openai = fake_openai().await.unwrap();
    let fixture = Fixture::new(&openai.base_url()).await.unwrap();
    for aws in endpoints::unavailable(&fixture.aws).await {
        let mut no_s3 = Clients::new(&aws, &fixture.config);
        no_s3.secrets = fixture.secrets.clone();
        let mut no_secrets = Clients::new(&aws, &fixture.config);
        no_secrets.s3 = fixture.s3.clone();
        for (clients, service) in [(no_s3, "S3"), (no_secrets, "Secrets Manager")] {
            let generated = generate_with(&clients, &fixture.config, input()).await;
            let (name, message) = name_and_message(generated.expect_err("a picture"));
            assert_eq!(name, "ServiceUnavailable", "{message}");
            assert!(message.contains(service), "{message}");
        }
    }
    assert!(openai.requests().is_empty());
}

#[tokio::test]
async fn each_answer_of_secrets_manager_has_its_error_name_and_is_not_quoted() {
    let openai = fake_openai().await.unwrap();
    let fixture = Fixture::new(&openai.base_url()).await.unwrap();
    let problem = |kind: &str| json!({"__type": kind, "message": "No."}).to_string();
    for (status, body, expected) in [
        (400, problem("ThrottlingException"), "ServiceUnavailable"),
        (500, problem("InternalServiceError"), "ServiceUnavailable"),
        (400, problem("AccessDeniedException"), "SecretUnusable"),
        (400, problem("DecryptionFailure"), "SecretUnusable"),
        // An answer that is cut off in the middle of the secret.
        (
            200,
            format!("{{\"SecretString\": \"{{\\\"apiKey\\\": \\\"{KEY}"),
            "ServiceUnavailable",
        ),
    ] {
        let server = MockServer::start().await;
        Mock::given(wiremock::matchers::any())
            .respond_with(ResponseTemplate::new(status).set_body_string(body.clone()))
            .mount(&server)
            .await;
        let elsewhere = endpoints::at(&fixture.aws, &server.uri());
        let mut clients = Clients::new(&elsewhere, &fixture.config);
        clients.s3 = fixture.s3.clone();
        let painted = generate_with(&clients, &fixture.config, input()).await;
        let (name, message) = name_and_message(painted.expect_err("a picture was generated"));
        assert_eq!(name, expected, "{body}: {message}");
        assert!(
            message.contains(&fixture.config.openai_secret_arn),
            "{message}"
        );
    }
    assert!(openai.requests().is_empty());
}

#[tokio::test]
async fn a_paid_picture_is_stored_after_a_conflict_with_another_write() {
    let (openai, fixture) =
        answering(ResponseTemplate::new(200).set_body_json(picture_json(b"picture")))
            .await
            .unwrap();
    // S3's answers to a missing key, to a write in conflict with another one, and to the next write.
    let s3 = MockServer::start().await;
    let problem = |status, code: &str| {
        let body = format!("<Error><Code>{code}</Code><Message>No.</Message></Error>");
        ResponseTemplate::new(status).set_body_raw(body, "application/xml")
    };
    Mock::given(method("GET"))
        .respond_with(problem(404, "NoSuchKey"))
        .mount(&s3)
        .await;
    Mock::given(method("PUT"))
        .respond_with(problem(409, "ConditionalRequestConflict"))
        .up_to_n_times(1)
        .mount(&s3)
        .await;
    Mock::given(method("PUT"))
        .and(header("if-none-match", "*"))
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&s3)
        .await;
    let elsewhere = fixture.aws.to_builder().endpoint_url(s3.uri()).build();
    let mut clients = Clients::new(&elsewhere, &fixture.config);
    clients.secrets = fixture.secrets.clone();
    clients.table = fixture.clients.table.clone();

    let draft = generate_with(&clients, &fixture.config, input())
        .await
        .unwrap();

    assert!(!draft.found);
    assert_eq!(attempts(&openai).await, 1);
}

#[tokio::test]
async fn invalid_input_names_its_field_and_nothing_is_requested() {
    let openai = fake_openai().await.unwrap();
    let fixture = Fixture::new(&openai.base_url()).await.unwrap();
    let rows: [(Change, &str); 5] = [
        (
            |input| input.picture.format = "gif".to_owned(),
            "picture.format",
        ),
        (
            |input| input.picture.format = "JPEG".to_owned(),
            "picture.format",
        ),
        (
            |input| input.picture.format = String::new(),
            "picture.format",
        ),
        (|input| input.prompt = String::new(), "prompt"),
        (|input| input.prompt = " \n\t".to_owned(), "prompt"),
    ];
    for (change, field) in rows {
        let mut input = input();
        change(&mut input);
        let (name, message) = fixture.refused(input).await;
        assert_eq!(name, "InvalidInput", "{message}");
        assert!(message.contains(field), "{message}");
    }
    assert!(openai.requests().is_empty());
}

const BINARY: Binary = Binary {
    path: env!("CARGO_BIN_EXE_generate-image"),
    environment: &[
        ("TABLE_NAME", "posts"),
        ("IMAGE_BUCKET", "pictures"),
        ("OPENAI_SECRET_ARN", "openai"),
    ],
};

#[tokio::test]
async fn the_deployed_binary_names_what_its_input_lacks() {
    let picture = json!({"model": "m", "size": "s", "quality": "q", "format": "jpeg"});
    let rows = [
        (json!({}), "post"),
        (json!(null), "input cannot be read"),
        (json!({"post": "p", "prompt": "x"}), "picture"),
        (json!({"post": "p", "picture": picture}), "prompt"),
        (
            json!({"post": "p", "prompt": ["x"], "picture": picture}),
            "sequence",
        ),
        (
            json!({"post": "p", "prompt": "x", "picture": {"model": "m"}}),
            "size",
        ),
        (
            json!({"post": "p", "round": -1, "prompt": "x", "picture": picture}),
            "-1",
        ),
    ];
    BINARY.assert_names_what_its_input_lacks(&rows).await;
}

#[test]
fn the_deployed_binary_names_a_missing_environment_variable() {
    BINARY.assert_names_missing_variables();
}

#[tokio::test]
async fn over_a_cap_nothing_is_requested_of_openai() {
    let openai = fake_openai().await.unwrap();
    let fixture = Fixture::new(&openai.base_url()).await.unwrap();
    let one_and_a_half = Micros(most() * 3 / 2);
    let plenty = Micros(100 * DOLLAR);
    for (round, per_day, per_month, cap) in [
        (1, plenty, one_and_a_half, None),
        (2, plenty, one_and_a_half, Some("per_month_usd")),
        (3, one_and_a_half, plenty, Some("per_day_usd")),
        (4, Micros(0), plenty, Some("per_day_usd")),
    ] {
        let mut input = input();
        input.round = Some(round);
        input.money = Some(Caps { per_day, per_month });
        match cap {
            None => drop(fixture.generate(input).await.unwrap()),
            Some(cap) => {
                let (name, message) = fixture.refused(input).await;
                assert_eq!(name, "OverBudget");
                assert!(message.contains(cap), "{message}");
            }
        }
    }
    assert_eq!(openai.requests().len(), 1);
    assert_eq!(fixture.money().await.1, 0);
}

#[tokio::test]
async fn an_execution_without_caps_has_the_default_caps() {
    let openai = fake_openai().await.unwrap();
    let fixture = Fixture::new(&openai.base_url()).await.unwrap();
    let old = |round| {
        let mut input = input();
        (input.round, input.money, input.time_zone) = (Some(round), None, None);
        input.picture.quality = "max".to_owned();
        input
    };
    for round in 1..=4 {
        fixture.generate(old(round)).await.unwrap();
    }
    // The fake charges less than was reserved, so reserve the rest of the dollar.
    let (post, zone) = (
        "spooky-days/2026-10-30/1".parse().unwrap(),
        jiff::tz::TimeZone::UTC,
    );
    let rest = Micros(DOLLAR - fixture.money().await.0);
    let table = &fixture.clients.table;
    let reserve = table.reserve(&post, 1, "the-rest", rest, Caps::default(), &zone, now());
    assert!(matches!(
        reserve.await.unwrap(),
        posts_table::Reserved::Yes(_)
    ));
    assert_eq!(fixture.refused(old(5)).await.0, "OverBudget");
}

#[tokio::test]
async fn an_invocation_that_finds_the_draft_of_a_killed_one_settles_its_reservation_at_the_price() {
    let (_server, fixture) =
        answering(ResponseTemplate::new(200).set_body_json(picture_json(b"picture")))
            .await
            .unwrap();
    // DynamoDB takes the reservation, and the request after it is held.
    let (held, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let proxy = fakes::proxy::start(fixture.aws.endpoint_url().unwrap(), held)
        .await
        .unwrap();
    let aws = fixture.aws.to_builder().endpoint_url(proxy.url()).build();
    let table = Clients::new(&aws, &fixture.config).table;
    let mut clients = Clients::new(&fixture.aws, &fixture.config);
    clients.table = table;
    let config = fixture.config.clone();
    let invocation = tokio::spawn(async move { generate_with(&clients, &config, input()).await });
    let first: fakes::proxy::Held = requests.recv().await.unwrap();
    first.forward().await;
    // The picture is generated and stored; now the invocation is killed.
    let settling = requests.recv().await.unwrap();
    invocation.abort();
    drop(settling);
    assert_eq!(fixture.money().await, (0, most()));

    let found = fixture.generate(input()).await.unwrap();
    assert!(found.found);
    // A thousand tokens of the picture and a hundred of text.
    assert_eq!(fixture.money().await, (30_500, 0));
}

#[tokio::test]
async fn a_dry_run_gets_a_test_card_and_costs_nothing() {
    let openai = fake_openai().await.unwrap();
    let fixture = Fixture::new(&openai.base_url()).await.unwrap();
    // The key is not read.
    fixture.set_secret("no key").await.unwrap();
    let dry = Input {
        post: "spooky-days/2026-10-30/1/dry-run-one".to_owned(),
        money: Some(Caps {
            per_day: Micros(0),
            per_month: Micros(0),
        }),
        ..input()
    };
    let draft = fixture.generate(dry.clone()).await.unwrap();
    assert_eq!(
        draft.key,
        "drafts/spooky-days/2026-10-30/1/dry-run-one/1-test-card.png"
    );
    assert_eq!((draft.cost_usd, draft.model.as_str()), (0.0, "test-card"));
    let card = fixture.bytes(&draft.key).await.unwrap();
    assert!(card.starts_with(b"\x89PNG\r\n\x1a\n"));
    // Entered again, it is found.
    let again = fixture.generate(dry).await.unwrap();
    assert!(again.found);
    assert_eq!(again.key, draft.key);
    assert_eq!(fixture.versions().await.unwrap().len(), 1);
    assert!(openai.requests().is_empty());
    assert_eq!(fixture.money().await, (0, 0));
}
