//! What is missing or broken on our side, and what the log says of it.

use approvals::link::Purpose;
use base64::{Engine, prelude::BASE64_STANDARD};
use review::{Clients, Config};

use crate::fixture::*;
use test_kit::binary::Binary;

#[tokio::test]
async fn without_usable_keys_the_page_is_unavailable_and_the_log_names_the_cause_without_them() {
    let hush = BASE64_STANDARD.encode([7; 16]);
    let rows = [
        (None, "has no value"),
        (Some("hush-hush".to_owned()), "is malformed"),
        (
            Some(format!("{{\"current\": \"{hush}\"}}")),
            "has a key current of 16 bytes",
        ),
        (
            Some("{\"current\": \"hush-hush!\"}".to_owned()),
            "is not base64",
        ),
        (
            Some("{\"previous\": \"hush-hush\"}".to_owned()),
            "is malformed",
        ),
    ];
    for (value, says) in rows {
        let fixture = Fixture::new().await;
        let before = fixture.item().await;
        match value {
            Some(value) => fixture.set_secret(&value).await,
            None => fixture.delete_secret().await,
        }
        let link = fixture.link(0);
        let form = fixture.approving(&link);
        take_log();
        let page = fixture.get(&format!("/review/{link}")).await;
        let answer = fixture.post(1, &link, &form).await;
        let forged = fixture.get("/review/a.b").await;
        for answer in [&page, &answer, &forged] {
            assert_eq!(answer.status, 503, "{says}");
            assert_eq!(answer, &page, "{says}");
            assert!(answer.says().contains("Nothing was decided"), "{says}");
        }
        let log = take_log();
        assert!(log.contains("ERROR") && log.contains(says), "{says}: {log}");
        for hidden in ["hush-hush", &hush, &link] {
            assert!(
                !log.contains(hidden) && !page.html().contains(hidden),
                "{says}: {log}"
            );
        }
        fixture.undecided(&before, says).await;
    }
}

#[tokio::test]
async fn no_token_key_link_or_form_value_is_logged() {
    let fixture = Fixture::new().await;
    let (link, show) = (
        fixture.link(0),
        fixture.link_of(Purpose::Show, POST, 1, 0, LINK_ENDS),
    );
    let token = fixture.token().await.unwrap();
    let form = fixture.approving(&link);
    take_log();
    let mut answers = vec![
        fixture.get(&format!("/review/{link}")).await,
        fixture.get(&format!("/picture/{show}")).await,
        fixture
            .post(1, &link, &changed(&form, "form", "forged"))
            .await,
        fixture
            .post(1, &link, &changed(&form, "answer", "unknown"))
            .await,
        fixture.post(1, &link, &changed(&form, "caption", "")).await,
        fixture.post(1, &link, &form).await,
        fixture.post(1, &link, &form).await,
    ];
    let log = take_log();
    assert!(
        log.contains("decided") && log.contains("a request was refused"),
        "{log}"
    );
    let key = BASE64_STANDARD.encode([1; 32]);
    for hidden in [&token, &key, &link, &show, &form[0].1] {
        assert!(!log.contains(hidden.as_str()), "{hidden}: {log}");
    }
    answers.retain(|answer| answer.header("content-type") != Some("image/jpeg"));
    for answer in &answers {
        assert!(!answer.html().contains(&token) && !answer.html().contains(&key));
    }
    for line in fixture.audit().await {
        let line = line.details.to_string();
        assert!(!line.contains(&token) && !line.contains(&link), "{line}");
    }
}

#[tokio::test]
async fn an_internal_error_makes_the_page_unavailable_and_decides_nothing() {
    let fixture = Fixture::new().await;
    let before = fixture.item().await;
    let link = fixture.link(0);
    let show = fixture.link_of(Purpose::Show, POST, 1, 0, LINK_ENDS);
    let form = encoded(&fixture.approving(&link));
    let no_table = Config {
        table_name: "nothing".to_owned(),
        ..fixture.config.clone()
    };
    let no_bucket = Config {
        image_bucket: "nothing".to_owned(),
        ..fixture.config.clone()
    };
    let kind = [("content-type", FORM)];
    for (config, method, path, says) in [
        (
            &no_table,
            "GET",
            format!("/review/{link}"),
            "read an approval",
        ),
        (
            &no_table,
            "POST",
            format!("/review/{link}"),
            "read an approval",
        ),
        (
            &no_bucket,
            "GET",
            format!("/picture/{show}"),
            "reading pictures/1",
        ),
    ] {
        let clients = Clients::new(&fixture.aws, config);
        take_log();
        let answer = ask(&clients, config, 1, method, &path, &kind, &form).await;
        assert_eq!(answer.status, 503, "{method} {says}");
        assert_well_formed(answer.html());
        let log = take_log();
        assert!(log.contains(says), "{says}: {log}");
        assert!(!answer.html().contains("nothing\"") && !answer.html().contains("DynamoDB"));
    }
    fixture.undecided(&before, "something is missing").await;
}

#[test]
fn the_deployed_binary_names_a_missing_environment_variable() {
    let binary = Binary {
        path: env!("CARGO_BIN_EXE_review"),
        environment: &[
            ("TABLE_NAME", "posts"),
            ("IMAGE_BUCKET", "bucket"),
            ("REVIEW_SECRET_ARN", "review"),
            ("REVIEW_BASE_URL", BASE),
        ],
    };
    binary.assert_names_missing_variables();
}
