//! The real function against the emulator: which date and day a slot gets, who holds it, and the name of each failure.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType,
};
use aws_sdk_s3::primitives::ByteStream;
use bot_files::Policy;
use jiff::Timestamp;
use lambda_function::read;
use lambda_runtime::Diagnostic;
use local_cloud::Emulator;
use pick_day::{Clients, Config, Error, Files, Input, Output, Status, pick_day};
use posts_table::{Ledger, Operator, OverrideItem, Record, SlotChange};
use serde_json::{Value, json};
use test_kit::{binary::Binary, buckets, endpoints};
use tokio::task::JoinSet;

const BOT: &str = "spooky-days";
const RUN: &str = "arn:aws:states:us-east-1:1:execution:daily-post:first";
const OTHER_RUN: &str = "arn:aws:states:us-east-1:1:execution:daily-post:second";

const BOT_TOML: &str = r##"
time_zone = "America/New_York"
slots = [{ time = "08:00", lead = "10m" }, { time = "01:30" }, { time = "02:30" }]

[picture]
model = "gpt-image-2"
size = "1536x1024"
quality = "high"
format = "webp"

[approval]
policy = "off"

[posting]
late_after = "90m"

[voice]
brief = "A spooky picture."
avoid = "No gore."
scenes = ["a ghost and {subject}"]
styles = ["linocut", "pixel art"]
lighting = ["moonlight"]
palettes = ["orange and black"]
compositions = ["a wide view"]
softness = [{ mood = "spooky" }, { mood = "mild" }, { mood = "sweet", scenes = ["a pumpkin"] }]
captions = ["Happy {name}!"]
hashtags = ["#Spooky"]
hashtags_per_caption = 1
alt_texts = ["{scene}, for {name}."]

[notifications]
to = ["owner@example.org"]
"##;

const CALENDAR_TOML: &str = r#"
[days]
10-29 = [{ name = "World Stroke Day", sensitive = "health" }]
10-30 = [
  { name = "National Candy Corn Day", scene = "candy corn with fangs", caption = "Sweet!" },
  { name = "Haunted Refrigerator Night" },
]
10-31 = [{ name = "Halloween" }]
11-11 = [{ name = "Origami Day" }]
12-24 = [{ name = "National Eggnog Day" }]
12-25 = [{ name = "A Day at Home" }]

[remembrance]
11-11 = "Veterans Day"

[overrides]
2026-12-25 = { skip = "one is enough" }

[blackouts]
"2026-12-24" = "the family is home"
"#;

/// A name and a value of an item.
type Attribute = (&'static str, AttributeValue);

/// The function with a separate table and bucket.
struct Fixture {
    aws: SdkConfig,
    s3: aws_sdk_s3::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    clients: Clients,
    config: Config,
}

impl Fixture {
    async fn new() -> anyhow::Result<Fixture> {
        let account = Emulator::shared().await.account();
        let aws = account.sdk_config().await;
        let s3 = aws_sdk_s3::Client::new(&aws);
        let dynamodb = aws_sdk_dynamodb::Client::new(&aws);
        let config = Config {
            table_name: "posts".to_owned(),
            bot_files_bucket: format!("pick-day-{}", account.id()),
        };
        buckets::create_versioned(&s3, &config.bot_files_bucket).await?;
        let mut table = dynamodb
            .create_table()
            .table_name(&config.table_name)
            .billing_mode(BillingMode::PayPerRequest);
        for (name, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
            table = table
                .attribute_definitions(
                    AttributeDefinition::builder()
                        .attribute_name(name)
                        .attribute_type(ScalarAttributeType::S)
                        .build()?,
                )
                .key_schema(
                    KeySchemaElement::builder()
                        .attribute_name(name)
                        .key_type(kind)
                        .build()?,
                );
        }
        table.send().await?;
        let fixture = Fixture {
            clients: Clients::new(&aws, &config),
            config,
            aws,
            s3,
            dynamodb,
        };
        fixture.put(BOT, "bot.toml", BOT_TOML).await?;
        fixture.put(BOT, "calendar.toml", CALENDAR_TOML).await?;
        Ok(fixture)
    }

    /// Writes a file of a bot, and returns its version.
    async fn put(
        &self,
        bot: &str,
        file: &str,
        text: impl AsRef<[u8]>,
    ) -> anyhow::Result<Option<String>> {
        let put = self
            .s3
            .put_object()
            .bucket(&self.config.bot_files_bucket)
            .key(format!("{bot}/{file}"))
            .body(ByteStream::from(text.as_ref().to_vec()))
            .send()
            .await?;
        Ok(put.version_id)
    }

    /// Sets the pause flag of a bot; without attributes it is paused until it is resumed.
    async fn pause(&self, bot: &str, attributes: &[Attribute]) -> anyhow::Result<()> {
        let mut put = self
            .dynamodb
            .put_item()
            .table_name(&self.config.table_name)
            .item("pk", AttributeValue::S(format!("{bot}#settings")))
            .item("sk", AttributeValue::S("switch".to_owned()));
        for (name, value) in attributes {
            put = put.item(*name, value.clone());
        }
        put.send().await?;
        Ok(())
    }

    async fn pick(&self, input: Input) -> Result<Output, Error> {
        pick_day(&self.clients, &self.config, now(), input).await
    }

    /// The name and the message of the failure to pick.
    async fn refused(&self, input: Input) -> (String, String) {
        match self.pick(input).await {
            Ok(output) => panic!("it was picked: {output:?}"),
            Err(error) => summary(error),
        }
    }

    async fn record(&self, post: &str) -> anyhow::Result<Option<Record>> {
        Ok(self.clients.table.read(&post.parse()?).await?)
    }

    async fn items(&self) -> anyhow::Result<usize> {
        let scan = self.dynamodb.scan().table_name(&self.config.table_name);
        Ok(scan.send().await?.items().len())
    }
}

/// Years away from every date of these tests, because no container's clock may matter.
fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn scheduled(time: &str) -> Input {
    read::<Input, Error>(json!({"execution": RUN, "bot": BOT, "slot": 1, "scheduledTime": time}))
        .unwrap()
}

fn ad_hoc(date: &str) -> Input {
    read::<Input, Error>(json!({"execution": RUN, "bot": BOT, "slot": 1, "date": date})).unwrap()
}

fn of_bot(bot: &str, mut input: Input) -> Input {
    input.run.bot = bot.to_owned();
    input
}

fn of_slot(slot: u32, mut input: Input) -> Input {
    input.run.slot = slot;
    input
}

fn dry(mut input: Input) -> Input {
    input.run.dry_run = true;
    input
}

fn at(time: &str) -> Option<Timestamp> {
    time.parse().ok()
}

/// An error's name and message, after what holds for all of them was checked.
fn summary(error: Error) -> (String, String) {
    let name = <&str>::from(&error).to_owned();
    let diagnostic = Diagnostic::from(error);
    assert_eq!(diagnostic.error_type, name);
    let message = diagnostic.error_message;
    assert!(!message.is_empty(), "{name} has no message");
    assert!(!message.contains(['\n', '\r']), "{name}: {message:?}");
    (name, message)
}

#[tokio::test]
async fn a_scheduled_run_is_about_the_bots_own_date_of_its_time() {
    let fixture = Fixture::new().await.unwrap();
    for (i, (zone, time, date)) in [
        ("America/New_York", "2026-10-31T03:30:00Z", "2026-10-30"),
        ("America/New_York", "2026-10-31T04:00:00Z", "2026-10-31"),
        // The night in which the clocks go back, on both sides of midnight.
        ("America/New_York", "2026-11-01T03:59:59Z", "2026-10-31"),
        ("America/New_York", "2026-11-02T04:30:00Z", "2026-11-01"),
        ("America/New_York", "2027-01-01T04:59:59Z", "2026-12-31"),
        ("America/New_York", "2028-03-01T04:59:59Z", "2028-02-29"),
        (
            "America/New_York",
            "2026-10-31T00:30:00-04:00",
            "2026-10-31",
        ),
        (
            "America/New_York",
            "2026-10-31T00:30:00+02:00",
            "2026-10-30",
        ),
        ("Pacific/Auckland", "2026-10-30T10:59:59Z", "2026-10-30"),
        ("Pacific/Auckland", "2026-10-30T11:00:00Z", "2026-10-31"),
        ("Pacific/Kiritimati", "2026-10-30T10:00:00Z", "2026-10-31"),
        ("Pacific/Pago_Pago", "2026-10-31T10:59:59Z", "2026-10-30"),
        ("Asia/Kolkata", "2026-10-30T18:29:59Z", "2026-10-30"),
        ("Asia/Kolkata", "2026-10-30T18:30:00Z", "2026-10-31"),
        ("UTC", "2026-10-30T23:59:59.999Z", "2026-10-30"),
    ]
    .into_iter()
    .enumerate()
    {
        let bot = format!("bot-{i}");
        let files = BOT_TOML.replace("America/New_York", zone);
        fixture.put(&bot, "bot.toml", files).await.unwrap();
        fixture
            .put(&bot, "calendar.toml", CALENDAR_TOML)
            .await
            .unwrap();

        let output = fixture.pick(of_bot(&bot, scheduled(time))).await.unwrap();

        assert_eq!(output.date.to_string(), date, "{zone} {time}");
        assert_eq!(output.post, format!("{bot}/{date}/1"));
        let record = fixture.record(&output.post).await.unwrap().unwrap();
        assert_eq!(record.execution, RUN);
    }
}

#[tokio::test]
async fn a_slots_time_follows_the_clocks_of_the_bot() {
    let fixture = Fixture::new().await.unwrap();
    for (slot, time, slot_time) in [
        (1, "2026-10-30T11:50:00Z", "2026-10-30T12:00:00Z"),
        (1, "2026-10-31T11:50:00Z", "2026-10-31T12:00:00Z"),
        (1, "2027-10-30T11:50:00Z", "2027-10-30T12:00:00Z"),
        // The clocks went back on 2028-11-05; 01:30 is there twice, and the first one counts.
        (2, "2028-11-05T05:20:00Z", "2028-11-05T05:30:00Z"),
        (1, "2028-11-05T12:50:00Z", "2028-11-05T13:00:00Z"),
        // They went forward on 2027-03-14; 02:30 is not there, and appears an hour later on the clock.
        (3, "2027-03-14T07:20:00Z", "2027-03-14T07:30:00Z"),
        (1, "2027-03-13T12:50:00Z", "2027-03-13T13:00:00Z"),
        (1, "2027-03-14T11:50:00Z", "2027-03-14T12:00:00Z"),
        // `bot.toml` does not have this slot, but it has a schedule.
        (4, "2026-10-30T15:17:00Z", "2026-10-30T15:17:00Z"),
    ] {
        let days = CALENDAR_TOML.replace(
            "[remembrance]",
            "03-13 = [{ name = \"K-9 Veterans Day\" }]\n\
             03-14 = [{ name = \"Pi Day\" }, { name = \"B Day\" }, { name = \"C Day\" }]\n\
             11-05 = [{ name = \"Doughnut Day\" }, { name = \"E Day\" }]\n[remembrance]",
        );
        let days = days.replace(
            "{ name = \"Haunted Refrigerator Night\" },",
            "{ name = \"F Day\" }, { name = \"G Day\" }, { name = \"H Day\" },",
        );
        fixture.put(BOT, "calendar.toml", days).await.unwrap();

        let output = fixture.pick(of_slot(slot, scheduled(time))).await.unwrap();

        assert_eq!(output.status, Status::Picked, "{time}: {output:?}");
        assert_eq!(output.slot_time, at(slot_time), "slot {slot} {time}");
        let record = fixture.record(&output.post).await.unwrap().unwrap();
        // 90 minutes by `late_after`.
        let not_after = at(slot_time).unwrap().as_second() + 90 * 60;
        assert_eq!(record.not_after, Some(not_after), "slot {slot} {time}");
    }
}

#[tokio::test]
async fn a_pick_contains_what_the_next_states_need_and_is_stored_in_the_claim() {
    let fixture = Fixture::new().await.unwrap();
    // Not the newest version of a file but the one that was read counts.
    let bot = fixture.put(BOT, "bot.toml", BOT_TOML).await.unwrap();
    let calendar = fixture
        .put(BOT, "calendar.toml", CALENDAR_TOML)
        .await
        .unwrap();

    let output = fixture
        .pick(scheduled("2026-10-30T11:50:00Z"))
        .await
        .unwrap();

    assert!(bot.is_some() && calendar.is_some() && bot != calendar);
    assert_eq!(
        output.files,
        Some(Files {
            bot: bot.clone(),
            calendar: calendar.clone()
        })
    );
    let record = fixture
        .record("spooky-days/2026-10-30/1")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(record.day, serde_json::to_value(&output).unwrap());
    assert_eq!(
        record.day,
        json!({
            "status": "picked",
            "post": "spooky-days/2026-10-30/1",
            "bot": "spooky-days",
            "date": "2026-10-30",
            "slot": 1,
            "name": "National Candy Corn Day",
            "scene": "candy corn with fangs",
            "caption": "Sweet!",
            "slotTime": "2026-10-30T12:00:00Z",
            "voice": {
                "brief": "A spooky picture.",
                "avoid": "No gore.",
                "scenes": ["a ghost and {subject}"],
                "styles": ["linocut", "pixel art"],
                "lighting": ["moonlight"],
                "palettes": ["orange and black"],
                "compositions": ["a wide view"],
                "softness": [
                    {"mood": "spooky", "scenes": []},
                    {"mood": "mild", "scenes": []},
                    {"mood": "sweet", "scenes": ["a pumpkin"]},
                ],
                "captions": ["Happy {name}!"],
                "hashtags": ["#Spooky"],
                "hashtagsPerCaption": 1,
                "altTexts": ["{scene}, for {name}."],
            },
            "timeZone": "America/New_York",
            "money": {"perDayMicros": 1_000_000, "perMonthMicros": 10_000_000},
            "picture": {"model": "gpt-image-2", "size": "1536x1024", "quality": "high", "format": "webp"},
            "approval": {"policy": "off", "approvers": [], "deadline": "PT4H", "onTimeout": "skip"},
            "files": {"bot": bot, "calendar": calendar},
        })
    );
    assert_eq!(record.execution, RUN);
    assert_eq!(record.claimed_at, now());
    assert_eq!(record.ledger, Ledger::Claimed);
    assert!(!record.approval_required);
    assert_eq!(record.outcome, None);
}

#[tokio::test]
async fn a_bot_whose_files_require_an_approval_or_do_not_mention_it_requires_it_in_its_claim() {
    let fixture = Fixture::new().await.unwrap();
    for (i, policy) in [
        "policy = \"required\"\napprovers = [\"a@example.org\"]",
        "approvers = [\"a@example.org\"]",
    ]
    .into_iter()
    .enumerate()
    {
        let bot = format!("bot-{i}");
        let files = BOT_TOML.replace("policy = \"off\"", policy);
        fixture.put(&bot, "bot.toml", files).await.unwrap();
        fixture
            .put(&bot, "calendar.toml", CALENDAR_TOML)
            .await
            .unwrap();
        let output = fixture
            .pick(of_bot(&bot, ad_hoc("2026-10-30")))
            .await
            .unwrap();
        let approval = output.approval.unwrap();
        assert_eq!(approval.policy, Policy::Required);
        assert_eq!(approval.approvers, ["a@example.org"]);
        let record = fixture.record(&output.post).await.unwrap().unwrap();
        assert!(record.approval_required);
    }
}

#[tokio::test]
async fn a_bucket_without_versions_results_in_null_versions() {
    let mut fixture = Fixture::new().await.unwrap();
    fixture.config.bot_files_bucket.push_str("-plain");
    let bucket = &fixture.config.bot_files_bucket;
    fixture
        .s3
        .create_bucket()
        .bucket(bucket)
        .send()
        .await
        .unwrap();
    fixture.put(BOT, "bot.toml", BOT_TOML).await.unwrap();
    fixture
        .put(BOT, "calendar.toml", CALENDAR_TOML)
        .await
        .unwrap();
    let output = fixture.pick(ad_hoc("2026-10-30")).await.unwrap();
    let output = serde_json::to_value(output).unwrap();
    assert_eq!(output["files"], json!({"bot": null, "calendar": null}));
}

#[tokio::test]
async fn an_ad_hoc_run_appears_at_once_and_is_never_late() {
    let fixture = Fixture::new().await.unwrap();
    let output = fixture
        .pick(of_slot(2, ad_hoc("2026-10-30")))
        .await
        .unwrap();
    assert_eq!(output.post, "spooky-days/2026-10-30/2");
    assert_eq!(output.day.unwrap().name, "Haunted Refrigerator Night");
    assert_eq!(output.slot_time, Some(now()));
    let record = fixture.record(&output.post).await.unwrap().unwrap();
    assert_eq!(record.not_after, None);
}

#[tokio::test]
async fn a_slot_with_nothing_to_post_is_claimed_with_the_reason() {
    let fixture = Fixture::new().await.unwrap();
    for (date, slot, why, reason) in [
        ("2026-05-03", 1, "no-observance", "no entry for 05-03"),
        (
            "2026-10-29",
            1,
            "no-observance",
            "no entry for 10-29 that is not sensitive",
        ),
        (
            "2026-10-30",
            3,
            "no-observance",
            "slot 3 of 2026-10-30: the date has 2 observances",
        ),
        (
            "2026-10-31",
            4_294_967_295,
            "no-observance",
            "slot 4294967295 of 2026-10-31: the date has 1 observance",
        ),
        ("2026-11-11", 1, "remembrance", "remembrance: Veterans Day"),
        ("2026-12-24", 1, "blackout", "blackout: the family is home"),
        ("2026-12-25", 1, "override", "skipped: one is enough"),
    ] {
        let output = fixture.pick(of_slot(slot, ad_hoc(date))).await.unwrap();
        assert_eq!(output.status, Status::Skipped, "{date}");
        assert_eq!(output.reason.as_deref(), Some(reason));
        assert_eq!(output.day, None);
        assert!(output.voice.is_none() && output.picture.is_none());
        let record = fixture.record(&output.post).await.unwrap().unwrap();
        assert_eq!(record.execution, RUN);
        assert_eq!(record.day["status"], "skipped");
        assert_eq!(record.day["reason"], reason);
        assert_eq!(record.day["skipReason"], why);
    }
}

#[tokio::test]
async fn a_disabled_bot_skips_and_names_the_setting() {
    let fixture = Fixture::new().await.unwrap();
    let off = BOT_TOML.replace("slots =", "enabled = false\nslots =");
    fixture.put(BOT, "bot.toml", &off).await.unwrap();
    let output = fixture.pick(ad_hoc("2026-10-30")).await.unwrap();
    assert_eq!(output.status, Status::Skipped);
    let reason = output.reason.unwrap();
    assert_eq!(reason, "disabled: `enabled` is false in bot.toml");
}

#[tokio::test]
async fn a_paused_bot_skips_until_its_pause_is_over() {
    let fixture = Fixture::new().await.unwrap();
    let number = |n: i64| AttributeValue::N(n.to_string());
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let second = now().as_second();
    let rows: [(&[Attribute], Option<&str>); 8] = [
        (&[], Some("paused")),
        (&[("reason", text("a sad day"))], Some("paused: a sad day")),
        (&[("reason", text(""))], Some("paused")),
        (&[("pausedUntil", number(second + 1))], Some("paused")),
        (
            &[
                ("pausedUntil", number(second + 1)),
                ("reason", text("moving")),
            ],
            Some("paused: moving"),
        ),
        // A flag that cannot be read must not start a paused bot.
        (&[("pausedUntil", text("soon"))], Some("paused")),
        (&[("pausedUntil", number(second))], None),
        (
            &[
                ("pausedUntil", number(second - 1)),
                ("reason", text("moving")),
            ],
            None,
        ),
    ];
    for (i, (flag, reason)) in rows.into_iter().enumerate() {
        fixture.pause(BOT, flag).await.unwrap();
        let output = fixture
            .pick(ad_hoc(&format!("{}-10-30", 2026 + i)))
            .await
            .unwrap();
        assert_eq!(output.reason.as_deref(), reason, "row {i}");
        let expected = match reason {
            Some(_) => Status::Skipped,
            None => Status::Picked,
        };
        assert_eq!(output.status, expected, "row {i}");
        assert_eq!(output.day.is_some(), reason.is_none(), "row {i}");
    }
}

#[tokio::test]
async fn the_pause_of_another_bot_does_not_stop_this_one() {
    let fixture = Fixture::new().await.unwrap();
    fixture.pause("spooky-days-2", &[]).await.unwrap();
    fixture.pause("spooky", &[]).await.unwrap();
    let output = fixture.pick(ad_hoc("2026-10-30")).await.unwrap();
    assert_eq!(output.status, Status::Picked);
}

#[tokio::test]
async fn entering_again_returns_the_same_pick_whatever_has_changed_since() {
    let fixture = Fixture::new().await.unwrap();
    let input = scheduled("2026-10-30T11:50:00Z");
    let first = fixture.pick(input.clone()).await.unwrap();
    let skipped = fixture
        .pick(scheduled("2026-11-11T12:50:00Z"))
        .await
        .unwrap();

    let changed = CALENDAR_TOML
        .replace("National Candy Corn Day", "Another Day")
        .replace("[remembrance]\n11-11 = \"Veterans Day\"", "");
    fixture.put(BOT, "calendar.toml", changed).await.unwrap();
    assert_eq!(fixture.pick(input.clone()).await.unwrap(), first);
    assert_eq!(
        fixture
            .pick(scheduled("2026-11-11T12:50:00Z"))
            .await
            .unwrap(),
        skipped
    );

    fixture.put(BOT, "calendar.toml", "[[broken").await.unwrap();
    fixture.pause(BOT, &[]).await.unwrap();
    assert_eq!(fixture.pick(input).await.unwrap(), first);
    // The slot's time is of the first entry as well.
    let ad_hoc = fixture.pick(ad_hoc("2026-10-30")).await.unwrap();
    assert_eq!(ad_hoc.slot_time, first.slot_time);
}

#[tokio::test]
async fn a_second_execution_is_a_duplicate_and_learns_who_holds_the_slot() {
    let fixture = Fixture::new().await.unwrap();
    for input in [scheduled("2026-10-30T11:50:00Z"), ad_hoc("2026-11-11")] {
        let first = fixture.pick(input.clone()).await.unwrap();
        let before = fixture.record(&first.post).await.unwrap().unwrap();

        let second = fixture
            .pick(Input {
                execution: OTHER_RUN.to_owned(),
                ..input
            })
            .await
            .unwrap();

        assert_eq!(
            serde_json::to_value(&second).unwrap(),
            json!({
                "status": "duplicate",
                "post": first.post,
                "bot": BOT,
                "date": first.date,
                "slot": 1,
                "reason": format!("{} is held by {RUN}", first.post),
                "heldBy": RUN,
            })
        );
        let after = fixture.record(&first.post).await.unwrap().unwrap();
        assert_eq!(
            serde_json::to_value(after).unwrap(),
            serde_json::to_value(before).unwrap()
        );
    }
}

#[tokio::test]
async fn an_execution_that_took_the_slot_over_picks_again_once_and_another_is_a_duplicate() {
    let fixture = Fixture::new().await.unwrap();
    let input = scheduled("2026-10-30T11:50:00Z");
    let first = fixture.pick(input).await.unwrap();
    let post = first.post.parse().unwrap();
    let old = fixture.record(&first.post).await.unwrap().unwrap();
    let operator = Operator {
        by: "Ada".to_owned(),
        reason: None,
    };
    let table = &fixture.clients.table;
    let taken = table.take_over(&post, &old, &[], OTHER_RUN, &operator, now());
    assert!(matches!(taken.await.unwrap(), SlotChange::Made));
    let changed = CALENDAR_TOML.replace("National Candy Corn Day", "Another Day");
    fixture.put(BOT, "calendar.toml", changed).await.unwrap();

    let late = fixture.pick(ad_hoc("2026-10-30")).await.unwrap();
    assert_eq!(late.status, Status::Duplicate);
    assert_eq!(late.held_by.as_deref(), Some(OTHER_RUN));
    let new = Input {
        execution: OTHER_RUN.to_owned(),
        ..ad_hoc("2026-10-30")
    };
    let picked = fixture.pick(new.clone()).await.unwrap();
    assert_eq!(picked.status, Status::Picked);
    assert_eq!(picked.day.as_ref().unwrap().name, "Another Day");
    let record = fixture.record(&first.post).await.unwrap().unwrap();
    assert_eq!(record.not_after, None);
    assert!(!record.approval_required);
    fixture
        .put(BOT, "calendar.toml", CALENDAR_TOML)
        .await
        .unwrap();
    assert_eq!(fixture.pick(new).await.unwrap(), picked);
}

#[tokio::test]
async fn the_override_of_an_operator_counts_before_the_calendar() {
    let fixture = Fixture::new().await.unwrap();
    let operator = Operator {
        by: "Ada".to_owned(),
        reason: Some("to see".to_owned()),
    };
    let table = &fixture.clients.table;
    let name = |name: &str| OverrideItem {
        name: Some(name.to_owned()),
        ..OverrideItem::default()
    };
    for (post, over, expected) in [
        (
            "2026-10-31/1",
            name("National Bat Day"),
            Ok("National Bat Day"),
        ),
        // The two change places, so that none is posted twice.
        (
            "2026-10-30/1",
            name("Haunted Refrigerator Night"),
            Ok("Haunted Refrigerator Night"),
        ),
        // Over the calendar's own override, which skips it.
        (
            "2026-12-25/1",
            name("National Owl Day"),
            Ok("National Owl Day"),
        ),
        (
            "2027-10-31/1",
            OverrideItem {
                skip: Some("a strike".to_owned()),
                ..OverrideItem::default()
            },
            Err("skipped: a strike"),
        ),
        // Silence is stronger than any wish.
        (
            "2026-11-11/1",
            name("National Bat Day"),
            Err("remembrance: Veterans Day"),
        ),
        (
            "2026-12-24/1",
            name("National Bat Day"),
            Err("blackout: the family is home"),
        ),
    ] {
        let post = format!("{BOT}/{post}");
        let over = OverrideItem {
            post: post.clone(),
            by: "Ada".to_owned(),
            at: now(),
            ..over
        };
        let id = post.parse().unwrap();
        let set = table.override_slot(&id, &over, &operator, now()).await;
        assert!(matches!(set.unwrap(), SlotChange::Made), "{post}");
        let date = post.split('/').nth(1).unwrap();
        let picked = fixture.pick(ad_hoc(date)).await.unwrap();
        match expected {
            Ok(name) => assert_eq!(picked.day.as_ref().unwrap().name, name, "{post}"),
            Err(reason) => assert_eq!(picked.reason.as_deref(), Some(reason), "{post}"),
        }
        // Entering again returns the same.
        assert_eq!(fixture.pick(ad_hoc(date)).await.unwrap(), picked);
    }
    let second = of_slot(2, ad_hoc("2026-10-30"));
    let picked = fixture.pick(second).await.unwrap();
    assert_eq!(picked.day.unwrap().name, "National Candy Corn Day");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_executions_at_once_one_holds_the_slot() {
    let fixture = Fixture::new().await.unwrap();
    let mut runs = JoinSet::new();
    for i in 0..24 {
        let (clients, config) = (fixture.clients.clone(), fixture.config.clone());
        // Each execution enters twice, as a retry would.
        let input = Input {
            execution: format!("{RUN}-{}", i / 2),
            ..ad_hoc("2026-10-30")
        };
        runs.spawn(async move {
            let output = pick_day(&clients, &config, now(), input.clone()).await;
            (input.execution, output)
        });
    }
    let runs = runs.join_all().await;
    let record = fixture
        .record("spooky-days/2026-10-30/1")
        .await
        .unwrap()
        .unwrap();
    for (execution, output) in runs {
        let output = output.unwrap();
        if execution == record.execution {
            assert_eq!(serde_json::to_value(output).unwrap(), record.day);
        } else {
            assert_eq!(output.status, Status::Duplicate);
            assert_eq!(output.held_by.as_ref(), Some(&record.execution));
        }
    }
    assert_eq!(fixture.items().await.unwrap(), 1);
}

#[tokio::test]
async fn an_invalid_input_is_rejected_with_what_to_fix_and_claims_nothing() {
    let fixture = Fixture::new().await.unwrap();
    let time = "2026-10-30T11:50:00Z";
    let long = "b".repeat(65);
    let bot = |bot: &str| json!({"bot": bot, "slot": 1, "scheduledTime": time});
    let slot = |slot: Value| json!({"bot": BOT, "slot": slot, "scheduledTime": time});
    for (mut payload, message) in [
        (bot(""), "`bot` must be the name of a folder in bots/"),
        (bot("../spooky-days"), "folder in bots/"),
        (bot("Spooky"), "folder in bots/"),
        (bot("spooky-days#2026"), "folder in bots/"),
        (bot(&long), "folder in bots/"),
        (bot("missing"), "there is no bot \"missing\""),
        (slot(json!(0)), "the first slot is 1 (got 0)"),
        (slot(json!(-1)), "the first slot is 1 (got -1)"),
        (slot(json!(i64::MAX)), "the first slot is 1"),
        (
            json!({"bot": BOT, "slot": 1, "scheduledTime": time, "date": "2026-10-30"}),
            "both given",
        ),
        (
            json!({"bot": BOT, "slot": 1}),
            "neither `scheduledTime` nor `date`",
        ),
        (
            json!({"bot": BOT, "slot": 4, "date": "2026-10-30", "at": "slot"}),
            "has no slot 4 to wait for",
        ),
    ] {
        payload["execution"] = RUN.into();
        let (name, error) = match read::<Input, Error>(payload.clone()) {
            Ok(input) => fixture.refused(input).await,
            Err(error) => summary(error),
        };
        assert_eq!(name, "InvalidInput", "{payload}: {error}");
        assert!(error.contains(message), "{payload}: {error}");
    }
    assert_eq!(fixture.items().await.unwrap(), 0);
}

#[tokio::test]
async fn a_prepared_run_is_for_its_date_and_appears_at_the_time_of_its_slot() {
    let fixture = Fixture::new().await.unwrap();
    let input =
        json!({"execution": RUN, "bot": BOT, "slot": 1, "date": "2026-10-30", "at": "slot"});
    let output = fixture
        .pick(read::<Input, Error>(input).unwrap())
        .await
        .unwrap();
    assert_eq!(output.slot_time, at("2026-10-30T12:00:00Z"));
    let record = fixture.record(&output.post).await.unwrap().unwrap();
    let scheduled = fixture
        .pick(scheduled("2026-10-30T11:50:00Z"))
        .await
        .unwrap();
    assert_eq!(scheduled, output);
    assert_eq!(
        record.not_after,
        at("2026-10-30T13:30:00Z").map(|last| last.as_second())
    );
}

#[tokio::test]
async fn a_start_with_a_lead_is_for_the_date_of_its_slot() {
    let fixture = Fixture::new().await.unwrap();
    // 23:50 in New York on the day before.
    let input = json!({"execution": RUN, "bot": BOT, "slot": 1, "scheduledTime": "2026-10-30T03:50:00Z", "lead": "8h 10m"});
    let output = fixture
        .pick(read::<Input, Error>(input).unwrap())
        .await
        .unwrap();
    assert_eq!(output.post, "spooky-days/2026-10-30/1");
    assert_eq!(output.slot_time, at("2026-10-30T12:00:00Z"));
}

#[tokio::test]
async fn a_broken_file_of_the_bot_names_file_line_and_fix_and_claims_nothing() {
    let fixture = Fixture::new().await.unwrap();
    let mars = BOT_TOML.replace("America/New_York", "America/New_Yrok");
    let two = BOT_TOML
        .replace("policy = \"off\"", "policy = \"of\"")
        .replace("90m", "soon");
    let bad_day = CALENDAR_TOML.replace("10-31 =", "10-32 =");
    for (file, text, expected) in [
        (
            "bot.toml",
            mars.as_str(),
            vec![
                "spooky-days/bot.toml:2:",
                "did you mean \"America/New_York\"?",
            ],
        ),
        (
            "bot.toml",
            &two,
            vec![
                "bot.toml:12:",
                "\"off\", \"required\"",
                " | ",
                "bot.toml:15:",
                "late_after",
            ],
        ),
        ("bot.toml", "", vec!["bot.toml:1:", "add `time_zone"]),
        ("bot.toml", "[[slots]", vec!["bot.toml:1:", "fix the line"]),
        (
            "calendar.toml",
            &bad_day,
            vec!["spooky-days/calendar.toml:8:", "10-32"],
        ),
        ("calendar.toml", "", vec!["calendar.toml:1:", "add `days"]),
        (
            "calendar.toml",
            "[days",
            vec!["calendar.toml:1:", "fix the line"],
        ),
    ] {
        fixture.put(BOT, file, text).await.unwrap();
        let (name, message) = fixture.refused(ad_hoc("2026-10-30")).await;
        assert_eq!(name, "BotFilesInvalid", "{file}: {message}");
        for expected in expected {
            assert!(
                message.contains(expected),
                "{file} lacks {expected:?}: {message}"
            );
        }
        fixture.put(BOT, "bot.toml", BOT_TOML).await.unwrap();
        fixture
            .put(BOT, "calendar.toml", CALENDAR_TOML)
            .await
            .unwrap();
    }
    for file in ["bot.toml", "calendar.toml"] {
        fixture.put(BOT, file, b"\xff\xfe# UTF-16").await.unwrap();
        let (name, message) = fixture.refused(ad_hoc("2026-10-30")).await;
        assert_eq!(name, "BotFilesInvalid", "{file}: {message}");
        assert!(
            message.contains(&format!("{BOT}/{file} is not UTF-8"))
                && message.contains("save it as UTF-8"),
            "{message}"
        );
        fixture.put(BOT, "bot.toml", BOT_TOML).await.unwrap();
    }
    assert_eq!(fixture.items().await.unwrap(), 0);
}

#[tokio::test]
async fn a_bot_without_a_calendar_fails_with_the_name_of_the_missing_file() {
    let fixture = Fixture::new().await.unwrap();
    fixture.put("new-bot", "bot.toml", BOT_TOML).await.unwrap();
    let (name, message) = fixture
        .refused(of_bot("new-bot", ad_hoc("2026-10-30")))
        .await;
    assert_eq!(name, "InvalidInput", "{message}");
    assert!(
        message.contains("new-bot/calendar.toml is missing"),
        "{message}"
    );
}

#[tokio::test]
async fn a_missing_table_or_bucket_is_named() {
    let mut fixture = Fixture::new().await.unwrap();
    let right = fixture.config.clone();
    fixture.config.bot_files_bucket = "no-such-bucket-of-ours".to_owned();
    let (name, message) = fixture.refused(ad_hoc("2026-10-30")).await;
    assert_eq!(name, "Unexpected", "{message}");
    assert!(
        message.contains("NoSuchBucket") && message.contains("no-such-bucket-of-ours"),
        "{message}"
    );
    let config = Config {
        table_name: "no-such-table".to_owned(),
        ..right.clone()
    };
    fixture.clients = Clients::new(&fixture.aws, &config);
    fixture.config = right;
    let (name, message) = fixture.refused(ad_hoc("2026-10-30")).await;
    assert_eq!(name, "Unexpected", "{message}");
    assert!(message.contains("ResourceNotFoundException"), "{message}");
}

#[tokio::test]
async fn a_claim_that_this_version_does_not_understand_is_not_overwritten() {
    let fixture = Fixture::new().await.unwrap();
    fixture
        .dynamodb
        .put_item()
        .table_name(&fixture.config.table_name)
        .item("pk", AttributeValue::S(format!("{BOT}#2026-10-30")))
        .item("sk", AttributeValue::S("slot#1".to_owned()))
        .item("execution", AttributeValue::S(RUN.to_owned()))
        .send()
        .await
        .unwrap();
    let (name, message) = fixture.refused(ad_hoc("2026-10-30")).await;
    assert_eq!(name, "Unexpected", "{message}");
    assert!(
        message.contains("spooky-days#2026-10-30 slot#1 cannot be read"),
        "{message}"
    );
}

#[tokio::test]
async fn a_5xx_of_aws_or_a_refused_connection_is_unavailable() {
    let fixture = Fixture::new().await.unwrap();
    for aws in endpoints::unavailable(&fixture.aws).await {
        let elsewhere = Clients::new(&aws, &fixture.config);
        let no_s3 = Clients {
            table: fixture.clients.table.clone(),
            ..elsewhere.clone()
        };
        let no_table = Clients {
            s3: fixture.s3.clone(),
            ..elsewhere
        };
        for (clients, service) in [(no_s3, "S3"), (no_table, "DynamoDB")] {
            let picked = pick_day(&clients, &fixture.config, now(), ad_hoc("2026-10-30")).await;
            let (name, message) = summary(picked.unwrap_err());
            assert_eq!(name, "ServiceUnavailable", "{message}");
            assert!(message.contains(service), "{message}");
        }
    }
}

#[test]
fn unknown_fields_of_an_input_are_ignored() {
    let input = read::<Input, Error>(json!({
        "execution": RUN, "bot": BOT, "slot": 1, "date": "2026-10-30", "mood": "spooky",
        "scheduledTime": Value::Null,
    }))
    .unwrap();
    assert_eq!(input.run, ad_hoc("2026-10-30").run);
}

const BINARY: Binary = Binary {
    path: env!("CARGO_BIN_EXE_pick-day"),
    environment: &[("TABLE_NAME", "posts"), ("BOT_FILES_BUCKET", "bucket")],
};

#[tokio::test]
async fn the_deployed_binary_names_what_its_input_lacks() {
    let rows = [
        (
            json!({"bot": BOT, "slot": 1, "date": "2026-10-30"}),
            "execution",
        ),
        (json!({}), "execution"),
        (json!(17), "input cannot be read"),
        (json!({"execution": RUN, "slot": 1}), "bot"),
        (json!({"execution": RUN, "bot": BOT}), "slot"),
        (json!({"execution": RUN, "bot": BOT, "slot": "one"}), "one"),
        (json!({"execution": RUN, "bot": BOT, "slot": 1.5}), "1.5"),
        (
            json!({"execution": RUN, "bot": BOT, "slot": 1, "date": 20261030}),
            "20261030",
        ),
    ];
    BINARY.assert_names_what_its_input_lacks(&rows).await;
}

#[test]
fn the_deployed_binary_names_a_missing_environment_variable() {
    BINARY.assert_names_missing_variables();
}

fn dry_run(date: &str) -> Input {
    Input {
        execution: OTHER_RUN.to_owned(),
        ..dry(ad_hoc(date))
    }
}

#[tokio::test]
async fn a_dry_run_picks_what_a_real_one_would_and_claims_nothing_of_the_slot() {
    let fixture = Fixture::new().await.unwrap();
    let dry = fixture.pick(dry_run("2026-10-30")).await.unwrap();
    assert_eq!(dry.post, "spooky-days/2026-10-30/1/dry-run-second");
    assert_eq!(dry.status, Status::Picked);
    assert_eq!(
        (dry.slot_time, dry.would_skip.as_deref()),
        (Some(now()), None)
    );
    let record = fixture.record(&dry.post).await.unwrap().unwrap();
    assert_eq!(record.expires_at, Some(7 * 24 * 60 * 60));
    assert_eq!(record.execution, OTHER_RUN);
    // Entered again it is the same, and the slot is free for the real run.
    assert_eq!(fixture.pick(dry_run("2026-10-30")).await.unwrap(), dry);
    let real = fixture
        .pick(scheduled("2026-10-30T11:50:00Z"))
        .await
        .unwrap();
    assert_eq!((real.status, &real.day), (Status::Picked, &dry.day));
    // A dry run of a slot that is held reports it, and continues.
    let beside = Input {
        execution: "arn:aws:states:us-east-1:1:execution:daily-post:third".to_owned(),
        ..dry_run("2026-10-30")
    };
    let beside = fixture.pick(beside).await.unwrap();
    assert_eq!(beside.status, Status::Picked);
    let why = format!("spooky-days/2026-10-30/1 is held by {RUN}");
    assert_eq!(beside.would_skip, Some(why));
}

#[tokio::test]
async fn a_scheduled_dry_run_does_not_wait_for_its_slot_and_knows_when_it_would_be_too_late() {
    let fixture = Fixture::new().await.unwrap();
    let input = dry(scheduled("2026-10-30T11:50:00Z"));
    let dry = fixture.pick(input).await.unwrap();
    assert_eq!(dry.slot_time, Some(now()));
    let record = fixture.record(&dry.post).await.unwrap().unwrap();
    let late: Timestamp = "2026-10-30T13:30:00Z".parse().unwrap();
    assert_eq!(record.not_after, Some(late.as_second()));
}

#[tokio::test]
async fn a_pause_does_not_stop_a_dry_run_and_a_date_without_an_observance_does() {
    let fixture = Fixture::new().await.unwrap();
    let reason = AttributeValue::S("a bad joke".to_owned());
    fixture.pause(BOT, &[("reason", reason)]).await.unwrap();
    let dry = fixture.pick(dry_run("2026-10-30")).await.unwrap();
    assert_eq!(dry.status, Status::Picked);
    assert_eq!(dry.would_skip.as_deref(), Some("paused: a bad joke"));
    for (date, expected) in [
        ("2026-12-24", "the family is home"),
        ("2026-11-11", "Veterans Day"),
        ("2026-10-01", "10-01"),
    ] {
        let dry = fixture.pick(dry_run(date)).await.unwrap();
        assert_eq!(dry.status, Status::Skipped, "{date}");
        assert!(dry.reason.unwrap().contains(expected), "{date}");
        assert!(
            fixture
                .record(&format!("{BOT}/{date}/1"))
                .await
                .unwrap()
                .is_none()
        );
    }
}

#[test]
fn a_value_of_dry_run_that_is_not_a_boolean_is_refused() {
    for value in [json!("true"), json!(1), json!({})] {
        let payload =
            json!({"execution": RUN, "bot": BOT, "slot": 1, "date": "2026-10-30", "dryRun": value});
        let (name, message) = summary(read::<Input, _>(payload).unwrap_err());
        assert_eq!(name, "InvalidInput", "{message}");
    }
}
