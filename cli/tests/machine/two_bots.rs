//! Two bots in one deployment: two accounts on X, and nothing that one runs into touches the other.

use fakes::{Fault, Kind, x};
use serde_json::{Value, json};

use crate::fixture::{BOT, CommandLine, Fixture, SECRETS};

/// The bot that only this test deploys.
const OTHER: &str = "night-owl";

/// A deployment with a second bot, which has its own account on X and says its own name in every prompt.
struct TwoBots {
    fixture: Fixture,
    account: x::Account,
    credentials: Value,
}

impl TwoBots {
    async fn new() -> TwoBots {
        let fixture = Fixture::new().await;
        let credentials = x::Credentials {
            api_key: "key".to_owned(),
            api_key_secret: SECRETS[1].to_owned(),
            access_token: "43-token".to_owned(),
            access_token_secret: SECRETS[2].to_owned(),
        };
        let account = fixture
            .x
            .add_account(x::Profile {
                credentials: credentials.clone(),
                name: "Night Owl".to_owned(),
                handle: "night_owl".to_owned(),
            })
            .unwrap();
        let two = TwoBots {
            fixture,
            account,
            credentials: json!(credentials),
        };
        two.edit_other(&[]).await;
        let files = format!("{}/../bots/{BOT}/calendar.toml", env!("CARGO_MANIFEST_DIR"));
        let calendar = std::fs::read(files).unwrap();
        let put = two
            .fixture
            .cloud
            .put_bot_file(OTHER, "calendar.toml", calendar);
        put.await.unwrap();
        let create = two.fixture.cloud.secrets.create_secret();
        create
            .name(format!("daily-post-local/{OTHER}/x-credentials"))
            .secret_string(two.credentials.to_string())
            .send()
            .await
            .unwrap();
        two
    }

    /// Gives the second bot other settings.
    async fn edit_other(&self, changes: &[(&str, &str)]) {
        let path = format!("{}/../bots/{BOT}/bot.toml", env!("CARGO_MANIFEST_DIR"));
        let mut text = std::fs::read_to_string(path).unwrap();
        for (from, to) in [
            ("policy = \"required\"", "policy = \"off\""),
            ("brief = \"", "brief = \"For the night-owl. "),
        ]
        .iter()
        .chain(changes)
        {
            assert!(text.contains(from), "bot.toml has no {from}");
            text = text.replace(from, to);
        }
        let put = self
            .fixture
            .cloud
            .put_bot_file(OTHER, "bot.toml", text.into_bytes());
        put.await.unwrap();
    }

    async fn put_other_secret(&self, value: &Value) {
        let put = self.fixture.cloud.secrets.put_secret_value();
        put.secret_id(format!("daily-post-local/{OTHER}/x-credentials"))
            .secret_string(value.to_string())
            .send()
            .await
            .unwrap();
    }

    /// Runs the same slot of the same date for both bots at once: what the first ended as, and what the second did.
    async fn run(&self, date: &str) -> (String, String) {
        let run = async |bot: &str| {
            let input = deployment::ad_hoc(bot, date.parse().unwrap(), 1);
            let ended = self.fixture.run(input).await;
            match ended.error {
                Some(error) => error,
                None => {
                    let record = &ended.output["record"];
                    let outcome = record["outcome"].as_str().unwrap_or_default();
                    let reason = record["reason"].as_str().unwrap_or_default();
                    format!("{outcome} {reason}").trim().to_owned()
                }
            }
        };
        tokio::join!(run(BOT), run(OTHER))
    }

    /// The tweets of both accounts.
    fn tweets(&self) -> (usize, usize) {
        (self.fixture.x.tweets().len(), self.account.tweets().len())
    }

    /// The probes that fail, for one bot or for all.
    async fn failing_probes(&self, bot: Option<&str>) -> Vec<String> {
        let payload = json!({"canaries": true, "bot": bot});
        let answer = self.fixture.cloud.invoke("watchdog", &payload).await;
        let answer = answer.unwrap();
        let checks = answer["checks"].as_array().unwrap();
        checks
            .iter()
            .filter(|check| check["verdict"] != "ok")
            .map(|check| check["what"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bots_post_the_same_slot_to_two_accounts_and_do_not_affect_each_other() {
    let two = TwoBots::new().await;
    let posted = || ("posted".to_owned(), "posted".to_owned());
    assert_eq!(two.run("2026-12-21").await, posted());
    assert_eq!(two.tweets(), (1, 1));
    // Each account has signed its requests itself, and each bot has paid for one picture.
    for requests in [two.fixture.x.requests(), two.account.requests()] {
        let names: Vec<&str> = requests.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["upload", "metadata", "create-tweet"]);
    }
    let scope = two.fixture.openai.scope(OTHER);
    assert_eq!((two.fixture.openai.paid(), scope.paid()), (2, 1));
    assert_eq!(two.failing_probes(None).await, Vec::<String>::new());

    // A fault of one account of X, and of the prompts of one bot.
    let unauthorized = Kind::Status {
        status: 401,
        body: json!({"title": "Unauthorized", "status": 401}),
    };
    two.account.fail(Fault::always("upload", unauthorized));
    let (first, second) = two.run("2026-12-22").await;
    assert_eq!(
        (first.as_str(), second.as_str()),
        ("posted", "Unauthorized")
    );
    two.account.clear_faults();
    scope.fail(Fault::always("images", Kind::Html { status: 403 }));
    let (first, second) = two.run("2026-12-23").await;
    assert_eq!(
        (first.as_str(), second.as_str()),
        ("posted", "Unauthorized")
    );
    scope.clear_faults();
    assert_eq!(two.tweets(), (3, 1));

    // An invalid secret.
    two.put_other_secret(&json!({})).await;
    let (first, second) = two.run("2026-12-24").await;
    assert_eq!(
        (first.as_str(), second.as_str()),
        ("posted", "SecretUnusable")
    );
    let credentials = format!("X credentials of {OTHER}");
    assert_eq!(
        two.failing_probes(None).await,
        std::slice::from_ref(&credentials)
    );
    assert_eq!(two.failing_probes(Some(BOT)).await, Vec::<String>::new());
    assert_eq!(
        two.failing_probes(Some(OTHER)).await,
        std::slice::from_ref(&credentials)
    );
    let cli = CommandLine::new(&two.fixture);
    cli.spooky(&["doctor", "--bot", BOT]).await.ok();
    let doctor = cli.spooky(&["doctor", "--bot", OTHER]).await;
    assert!(doctor.out.contains(&credentials), "{doctor:?}");
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    two.put_other_secret(&two.credentials).await;

    // A pause.
    let pause = ["pause", "--bot", OTHER, "--reason", "a storm"];
    cli.spooky(&pause).await.ok();
    let (first, second) = two.run("2026-12-17").await;
    assert_eq!(
        (first.as_str(), second.as_str()),
        ("posted", "skipped paused: a storm")
    );
    cli.spooky(&["resume", "--bot", OTHER]).await.ok();

    // An empty budget.
    two.edit_other(&[("per_day_usd = 1.00", "per_day_usd = 0.01")])
        .await;
    let (first, second) = two.run("2026-12-18").await;
    assert_eq!(first, "posted");
    assert!(second.starts_with("skipped over budget"), "{second}");
    two.edit_other(&[]).await;

    assert_eq!(two.tweets(), (6, 1));
    assert_eq!(two.run("2026-12-16").await, posted());
    assert_eq!(two.tweets(), (7, 2));
}
