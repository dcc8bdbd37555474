//! The probes.

use fakes::{Fault, Kind, openai, x};
use jiff::Timestamp;
use probes::{Check, Status};
use serde_json::{Value, json};
use watchdog::{Input, Output, watchdog};

use crate::fixture::{BOT_TOML, CALENDAR_TOML, Fixture};

const X_SECRET: &str = "daily-post-test/spooky-days/x-credentials";

const PLANTED: [&str; 3] = [
    "planted-openai-key",
    "planted-x-key-secret",
    "planted-x-token-secret",
];

/// A fixture with an OpenAI and an X that know its keys.
struct ProbeFixture {
    fixture: Fixture,
    openai: openai::OpenAi,
    x: x::X,
}

impl ProbeFixture {
    async fn new() -> ProbeFixture {
        let mut fixture = Fixture::new().await;
        let [openai_key, key_secret, token_secret] = PLANTED;
        let credentials = x::Credentials {
            api_key: "key".to_owned(),
            api_key_secret: key_secret.to_owned(),
            access_token: "42-token".to_owned(),
            access_token_secret: token_secret.to_owned(),
        };
        let openai = openai::start(openai::Options {
            port: 0,
            api_key: openai_key.to_owned(),
        });
        let x = x::start(x::Options {
            port: 0,
            credentials: credentials.clone(),
            name: "Spooky Days".to_owned(),
            handle: "spooky_days".to_owned(),
            directory: None,
        });
        let (openai, x) = (openai.await.unwrap(), x.await.unwrap());
        fixture.config.openai_base_url = openai.base_url();
        fixture.config.x_api_base_url = x.base_url();
        let probes = ProbeFixture { fixture, openai, x };
        probes.secret("openai", json!({"apiKey": openai_key})).await;
        probes.secret(X_SECRET, json!(credentials)).await;
        probes
    }

    async fn secret(&self, name: &str, value: Value) {
        let secrets = &self.fixture.clients.secrets;
        let put = secrets.put_secret_value().secret_id(name);
        if put.secret_string(value.to_string()).send().await.is_err() {
            let create = secrets.create_secret().name(name);
            create
                .secret_string(value.to_string())
                .send()
                .await
                .unwrap();
        }
    }

    async fn ask(&self) -> Vec<Check> {
        self.ask_at(Timestamp::now()).await
    }

    async fn ask_at(&self, now: Timestamp) -> Vec<Check> {
        let input: Input = serde_json::from_value(json!({"canaries": true})).unwrap();
        let (clients, config) = (&self.fixture.clients, &self.fixture.config);
        let before = self.fixture.everything().await;
        let output = watchdog(clients, config, now, input).await.unwrap();
        assert_eq!(self.fixture.everything().await, before);
        assert!(self.fixture.mails().await.is_empty());
        let told = json!(output).to_string();
        assert!(
            PLANTED.iter().all(|planted| !told.contains(planted)),
            "{told}"
        );
        match output {
            Output::Probed { checks } => checks,
            other => panic!("{other:?}"),
        }
    }

    /// The one that is not well.
    async fn ill(&self) -> (String, Status, String) {
        let mut checks = self.ask().await;
        checks.retain(|check| check.status != Status::Ok);
        assert_eq!(checks.len(), 1, "{checks:?}");
        let check = checks.remove(0);
        assert!(check.fix.is_some(), "{check:?}");
        (check.what, check.status, check.message)
    }
}

fn status(status: u16) -> Kind {
    Kind::Status {
        status,
        body: json!({"title": "planted-openai-key", "error": {"message": "planted-openai-key"}}),
    }
}

#[tokio::test]
async fn probes_of_a_healthy_deployment_are_ok_and_change_nothing() {
    let fixture = ProbeFixture::new().await;
    let checks = fixture.ask().await;
    let names: Vec<&str> = checks.iter().map(|check| check.what.as_str()).collect();
    assert_eq!(
        names,
        [
            "files of spooky-days",
            "days ahead of spooky-days",
            "signing keys",
            "OpenAI key",
            "image model gpt-image-2.6-flare",
            "X credentials of spooky-days",
            "clock",
        ]
    );
    for check in &checks {
        assert_eq!((check.status, &check.fix), (Status::Ok, &None), "{check:?}");
    }
    assert_eq!(
        json!(checks[2]),
        json!({"what": "signing keys", "verdict": "ok", "said": "the approval page's links can be signed"})
    );
    let requests = fixture.x.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(requests[0].0, "timeline");
    assert!(fixture.openai.requests().is_empty());
}

#[tokio::test]
async fn each_probe_names_the_problem_of_the_provider() {
    let fixture = ProbeFixture::new().await;
    for (answer, verdict) in [
        (401, Status::Fail),
        (403, Status::Fail),
        (402, Status::Fail),
        (429, Status::Warn),
        (500, Status::Warn),
    ] {
        fixture.x.fail(Fault::once("timeline", status(answer)));
        let (what, is, said) = fixture.ill().await;
        assert_eq!(
            (what.as_str(), is),
            ("X credentials of spooky-days", verdict),
            "{said}"
        );
        assert!(said.contains(&answer.to_string()), "{said}");
    }
    for (answer, verdict) in [
        (401, Status::Fail),
        (403, Status::Fail),
        (429, Status::Warn),
        (503, Status::Warn),
    ] {
        fixture.openai.fail(Fault::once("models", status(answer)));
        let (what, is, said) = fixture.ill().await;
        assert_eq!((what.as_str(), is), ("OpenAI key", verdict), "{said}");
    }
    fixture.x.fail(Fault::once("timeline", Kind::ResetBefore));
    assert_eq!(fixture.ill().await.2, "X is unreachable");
    fixture
        .openai
        .fail(Fault::once("models", Kind::ResetBefore));
    assert_eq!(fixture.ill().await.2, "OpenAI is unreachable");
    // A wrong signature is seen by X itself.
    fixture.secret(X_SECRET, json!({"apiKey": "key", "apiKeySecret": "other", "accessToken": "42-token", "accessTokenSecret": "other"})).await;
    assert_eq!(fixture.ill().await.1, Status::Fail);
}

#[tokio::test]
async fn missing_and_malformed_secrets_are_named() {
    for (name, what) in [
        ("openai", "OpenAI key"),
        (X_SECRET, "X credentials of spooky-days"),
        ("review", "signing keys"),
    ] {
        let fixture = ProbeFixture::new().await;
        fixture
            .secret(name, json!({"wrong": "planted-openai-key"}))
            .await;
        let ill = fixture.ill().await;
        assert_eq!((ill.0.as_str(), ill.1), (what, Status::Fail), "{ill:?}");
        assert!(ill.2.contains(&format!("the secret {name}")), "{ill:?}");
        let delete = fixture
            .fixture
            .clients
            .secrets
            .delete_secret()
            .secret_id(name);
        delete
            .force_delete_without_recovery(true)
            .send()
            .await
            .unwrap();
        assert!(fixture.ill().await.2.contains("has no value"));
    }
}

#[tokio::test]
async fn a_model_before_and_after_its_shutdown_is_reported() {
    let fixture = ProbeFixture::new().await;
    let ask = async |model: &str, now: &str| {
        let text = BOT_TOML.replace("gpt-image-2.6-flare", model);
        fixture.fixture.put("spooky-days/bot.toml", &text).await;
        let checks = fixture.ask_at(now.parse().unwrap()).await;
        let check = checks
            .into_iter()
            .find(|check| check.what == format!("image model {model}"));
        let check = check.unwrap();
        (check.status, check.message)
    };
    let end = "OpenAI shuts it down on 2026-12-01".to_owned();
    for (now, verdict) in [
        ("2026-10-31T12:00:00Z", Status::Ok),
        ("2026-11-01T12:00:00Z", Status::Warn),
        ("2026-11-30T23:00:00Z", Status::Warn),
        ("2026-12-01T00:00:00Z", Status::Fail),
    ] {
        assert_eq!(
            ask("gpt-image-1.5", now).await,
            (verdict, end.clone()),
            "{now}"
        );
    }
    let (verdict, said) = ask("dall-e-3", "2026-11-01T12:00:00Z").await;
    assert_eq!(
        (verdict, said.as_str()),
        (Status::Fail, "OpenAI does not serve it")
    );
}

#[tokio::test]
async fn gaps_of_the_calendar_are_reported_ahead_and_silent_dates_are_not_gaps() {
    let fixture = ProbeFixture::new().await;
    let now = "2026-10-30T12:00:00Z".parse().unwrap();
    let ahead = async |calendar: &str| {
        fixture
            .fixture
            .put("spooky-days/calendar.toml", calendar)
            .await;
        let checks = fixture.ask_at(now).await;
        checks
            .into_iter()
            .find(|check| check.what.contains("days ahead"))
    };
    let whole = ahead(CALENDAR_TOML).await.unwrap();
    assert_eq!(whole.status, Status::Ok, "{whole:?}");
    let lines = CALENDAR_TOML.lines();
    // The Tuesday of the next week: its days, and all that move there, are taken out.
    let mut without = String::new();
    let mut inside = false;
    for line in lines {
        if line.starts_with("11-03 ") {
            inside = !line.trim_end().ends_with("}]");
            continue;
        }
        if inside {
            inside = !line.starts_with(']');
            continue;
        }
        without.push_str(line);
        without.push('\n');
    }
    let gap = ahead(&without).await.unwrap();
    assert_eq!(gap.status, Status::Warn, "{gap:?}");
    assert!(gap.message.contains("2026-11-03 slot 1"), "{gap:?}");
}

#[tokio::test]
async fn a_wrong_clock_is_reported() {
    let fixture = ProbeFixture::new().await;
    let wrong = Timestamp::now() - jiff::SignedDuration::from_mins(2);
    let checks = fixture.ask_at(wrong).await;
    let clock = checks.iter().find(|check| check.what == "clock").unwrap();
    assert_eq!(clock.status, Status::Fail, "{clock:?}");
    assert!(
        clock.message.starts_with("it differs from X's by 1")
            && clock.message.ends_with(" seconds"),
        "{clock:?}"
    );
}

#[tokio::test]
async fn a_failing_probe_is_in_the_digest_and_healthy_probes_are_not() {
    let fixture = ProbeFixture::new().await;
    // From nine on in New York, of a day whose slots have all ended.
    let now: Timestamp = "2026-10-30T20:00:00Z".parse().unwrap();
    let event = notifications::digest_event("spooky-days", "2026-10-30".parse().unwrap());
    for (pk, sk) in [("#notices", format!("event#{event}"))] {
        fixture.fixture.delete(pk, &sk).await;
    }
    fixture.x.fail(Fault::once("timeline", status(401)));
    for told in [1, 0, 0] {
        assert_eq!(fixture.fixture.look_at(now).await.unwrap().told, told);
        assert_eq!(fixture.x.requests().len(), 1, "once a day");
    }
    let mails = fixture.fixture.mails().await;
    let text = &mails[0].body_text;
    assert!(
        text.contains("X credentials of spooky-days: X returned 401"),
        "{text}"
    );
    assert!(text.contains("store valid keys"), "{text}");
    for planted in PLANTED {
        assert!(!text.contains(planted), "{text}");
    }
}
