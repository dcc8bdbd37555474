use jiff::{
    SignedDuration,
    civil::{Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use crate::{
    Problems,
    reader::{Reader, Section, Value, nearest},
    rule::parse_weekday,
};

/// What the state data may carry of a bot's voice, in bytes of JSON.
const MAX_VOICE: usize = 8 * 1024;

/// The longest that a prompt can be softened: the levels 0, 1 and 2 of the state machine.
const SOFTNESS_LEVELS: usize = 3;

/// A bot as its `bot.toml` describes it.
#[derive(Debug, Clone)]
pub struct Bot {
    pub(crate) file: String,
    pub(crate) time_zone: TimeZone,
    /// Whether it posts at all.
    pub enabled: bool,
    /// The daily posts; slot 1 is the first.
    pub slots: Vec<Slot>,
    /// How the picture is ordered.
    pub picture: Picture,
    /// Who decides before anything is posted.
    pub approval: Approval,
    /// The most that it may spend.
    pub money: Money,
    /// How posting behaves.
    pub posting: Posting,
    /// Who is told how runs end.
    pub notices: Notices,
    /// What the bot sounds and looks like.
    pub voice: Voice,
}

/// One post of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// When the tweet appears, in the bot's time zone.
    pub time: Time,
    /// The days of the week on which there is a post.
    pub weekdays: Vec<Weekday>,
    /// How long before `time` the run starts.
    pub lead: SignedDuration,
    pub(crate) line: usize,
}

/// What is asked of the image model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Picture {
    /// OpenAI's name of the model.
    pub model: String,
    /// Width and height, such as `1024x1024`.
    pub size: String,
    /// `low`, `medium`, `high`, `xhigh`, `max` or `auto`.
    pub quality: String,
    /// `jpeg`, `png` or `webp`.
    pub format: String,
}

impl Default for Picture {
    fn default() -> Self {
        Picture {
            model: "gpt-image-2.6-flare".into(),
            size: "1024x1024".into(),
            quality: "medium".into(),
            format: "jpeg".into(),
        }
    }
}

/// The longest that approvers may have, which is what the state machine's own wait is made for.
pub const MAX_DEADLINE: SignedDuration = SignedDuration::from_hours(24);

/// The most people who are asked or told; each gets a mail of their own.
const MAX_ADDRESSES: usize = 10;

/// Who decides before anything is posted, and how long they have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Approval {
    /// Whether anybody is asked.
    pub policy: Policy,
    /// Their mail addresses.
    pub approvers: Vec<String>,
    /// How long after the mail a decision counts, unless the post would be too late by then.
    pub deadline: SignedDuration,
    /// What happens when nobody decides.
    pub on_timeout: OnTimeout,
    /// How long before the deadline those who were asked are reminded; nobody is without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reminder: Option<SignedDuration>,
}

impl Default for Approval {
    fn default() -> Self {
        Approval {
            policy: Policy::Required,
            approvers: Vec::new(),
            deadline: SignedDuration::from_hours(4),
            on_timeout: OnTimeout::Skip,
            reminder: None,
        }
    }
}

/// Whether a person decides before anything is posted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Policy {
    /// Nobody is asked.
    Off,
    /// Nothing is posted without an approval; what a `bot.toml` that is silent about it gets.
    #[default]
    Required,
}

/// What happens when nobody decides in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnTimeout {
    /// Nothing is posted.
    #[default]
    Skip,
    /// It is posted as it was presented.
    Post,
}

/// The most that a bot may spend, in millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Money {
    /// On one of its local days.
    pub per_day_micros: i64,
    /// In one of its local months.
    pub per_month_micros: i64,
}

impl Default for Money {
    /// A bot that says nothing may spend a dollar a day and ten a month.
    fn default() -> Self {
        Money {
            per_day_micros: 1_000_000,
            per_month_micros: 10_000_000,
        }
    }
}

/// How posting behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// A scheduled post is not posted later than its slot's time plus this.
    pub late_after: SignedDuration,
}

/// Who is told how runs end, and of what. What needs a person is always told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notices {
    /// Their mail addresses: the approvers, unless others are named.
    pub to: Vec<String>,
    /// Whether they are told of each post.
    pub posted: bool,
    /// Whether they are told when nothing was to be posted, such as on a day that the calendar leaves out, or during
    /// a pause.
    pub skipped: bool,
    /// Whether they are told when an approver has rejected a post.
    pub rejected: bool,
}

/// What the bot sounds and looks like: all that `build-prompt` needs beside the day.
///
/// It travels in the state data as `day.voice`, so it is to stay a few KB.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Voice {
    /// What every prompt asks for, before the scene.
    pub brief: String,
    /// What no picture may show, as a sentence of the prompt.
    pub avoid: String,
    /// Scenes for days that have none of their own; `{subject}` is what the day is about.
    pub scenes: Vec<String>,
    /// Art styles.
    pub styles: Vec<String>,
    /// Kinds of light.
    pub lighting: Vec<String>,
    /// Colours.
    pub palettes: Vec<String>,
    /// Viewpoints and framings.
    pub compositions: Vec<String>,
    /// From as spooky as it gets to as soft as it gets; the level is the state machine's `softness`.
    pub softness: Vec<Softness>,
    /// Captions without hashtags; `{name}` is the day's name, `{subject}` what it is about.
    pub captions: Vec<String>,
    /// Hashtags, with `#`.
    pub hashtags: Vec<String>,
    /// How many of them a caption gets.
    pub hashtags_per_caption: usize,
    /// Alt texts; `{scene}` is the scene as a sentence, `{style}` the art style, `{name}` the day's name.
    pub alt_texts: Vec<String>,
}

/// One level of softness.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Softness {
    /// The mood of the picture.
    pub mood: String,
    /// Scenes that stand in for the day's own at this level; none: the day's own stays.
    pub scenes: Vec<String>,
}

impl Bot {
    /// Parses and checks `bot.toml`; `file` is the name used in messages.
    pub fn parse(file: &str, text: &str) -> Result<Bot, Problems> {
        let mut reader = Reader::new(file, text);
        let Some(document) = reader.parse() else {
            return Err(reader.into_problems());
        };
        let root = reader.root(
            &document,
            &[
                "time_zone",
                "enabled",
                "slots",
                "picture",
                "approval",
                "money",
                "posting",
                "notices",
                "voice",
            ],
        );
        let time_zone = read_time_zone(&mut reader, root);
        let enabled = reader
            .get(root, "enabled")
            .and_then(|value| reader.truth(value, "enabled"));
        let slots = read_slots(&mut reader, root);
        let picture = read_picture(&mut reader, root);
        let approval = read_approval(&mut reader, root);
        let money = read_money(&mut reader, root);
        let late_after = read_late_after(&mut reader, root);
        let notices = read_notices(&mut reader, root, &approval);
        let voice = read_voice(&mut reader, root);
        match (time_zone, voice) {
            (Some(time_zone), Some(voice)) if !reader.has_problems() => Ok(Bot {
                file: file.to_owned(),
                time_zone,
                enabled: enabled.unwrap_or(true),
                slots,
                picture,
                approval,
                money,
                posting: Posting { late_after },
                notices,
                voice,
            }),
            _ => Err(reader.into_problems()),
        }
    }

    /// The bot's time zone.
    pub fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// The slot with this number; the first is 1.
    pub fn slot(&self, n: u32) -> Option<&Slot> {
        self.slots.get(usize::try_from(n).ok()?.checked_sub(1)?)
    }
}

impl Voice {
    /// A caption made of one of [`Voice::captions`] for a day with this name, with these hashtags under it.
    pub fn caption(template: &str, name: &str, hashtags: &[&str]) -> String {
        let text = fill(template, &[("name", name), ("subject", subject(name))]);
        if hashtags.is_empty() {
            text
        } else {
            format!("{text}\n\n{}", hashtags.join(" "))
        }
    }

    /// Whether a template and a name go together: "Happy {name}!" does not suit "Happy Mew Year for Cats Day".
    pub fn suits(template: &str, name: &str) -> bool {
        let bare = |word: &str| {
            word.trim_matches(|c: char| !c.is_alphanumeric())
                .to_lowercase()
        };
        let same = |ours: Option<&str>, theirs: Option<&str>| {
            ours.map(bare)
                .zip(theirs.map(bare))
                .is_some_and(|(ours, theirs)| ours == theirs)
        };
        let first = name.split_whitespace().next();
        let last = name.split_whitespace().last();
        template.match_indices("{name}").all(|(at, placeholder)| {
            let before = template[..at].split_whitespace().last();
            // After a full stop or a colon the same word is no stumble.
            let before = before.filter(|word| word.ends_with(char::is_alphanumeric));
            let after = template[at + placeholder.len()..].strip_prefix(' ');
            let after = after.and_then(|after| after.split_whitespace().next());
            !same(before, first) && !same(after, last)
        })
    }
}

/// Puts values into a template: `{key}` becomes the value, anything else stays.
///
/// Values are not looked into, so a name with braces in it cannot pull in another value.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        filled.push_str(&rest[..open]);
        rest = &rest[open..];
        let value = rest.find('}').and_then(|close| {
            let (_, value) = values.iter().find(|(key, _)| *key == &rest[1..close])?;
            Some((close, value))
        });
        let taken = match value {
            Some((close, value)) => {
                filled.push_str(value);
                close + 1
            }
            None => {
                filled.push('{');
                1
            }
        };
        rest = &rest[taken..];
    }
    filled + rest
}

/// What a day is about: its name without "National", "World" and the like, and without "Day".
pub fn subject(name: &str) -> &str {
    let mut subject = name.trim();
    for prefix in [
        "National ",
        "International ",
        "World ",
        "Global ",
        "Universal ",
    ] {
        subject = subject.strip_prefix(prefix).unwrap_or(subject);
    }
    let subject = subject.strip_suffix(" Day").unwrap_or(subject);
    if subject.is_empty() { name } else { subject }
}

fn read_time_zone<'a>(reader: &mut Reader<'a>, root: Section<'a>) -> Option<TimeZone> {
    let value = reader.require(root, "time_zone", "\"America/New_York\"")?;
    let name = reader.text(value, "time_zone")?;
    let found = TimeZone::get(&name).ok();
    if found.is_none() {
        let known: Vec<String> = jiff::tz::db()
            .available()
            .map(|known| known.to_string())
            .collect();
        let fix = match nearest(&name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "use a name of the IANA database, like \"America/New_York\"".to_owned(),
        };
        reader.problem(value.line, format!("there is no time zone \"{name}\""), fix);
    }
    found
}

fn read_slots<'a>(reader: &mut Reader<'a>, root: Section<'a>) -> Vec<Slot> {
    let example = "[{ time = \"08:00\", weekdays = [\"monday\"], lead = \"10m\" }]";
    let Some(value) = reader.require(root, "slots", example) else {
        return Vec::new();
    };
    let Some(items) = reader.array(value, "slots", "tables, each under [[slots]]") else {
        return Vec::new();
    };
    if items.is_empty() {
        reader.problem(value.line, "the bot has no slot", "add one under [[slots]]");
    }
    items
        .into_iter()
        .filter_map(|item| read_slot(reader, item))
        .collect()
}

fn read_slot<'a>(reader: &mut Reader<'a>, item: Value<'a>) -> Option<Slot> {
    let section = reader.section(item, "a slot", &["time", "weekdays", "lead"])?;
    let time = reader.require(section, "time", "\"08:00\"");
    let time = time.and_then(|value| read_time(reader, value));
    let weekdays = match reader.get(section, "weekdays") {
        Some(value) => read_weekdays(reader, value),
        None => Weekday::Monday.cycle_forward().take(7).collect(),
    };
    let lead = reader.get(section, "lead");
    let lead_line = lead.map_or(item.line, |value| value.line);
    let lead = match lead {
        Some(value) => read_duration(reader, value, "lead")?,
        None => SignedDuration::from_mins(10),
    };
    let time = time?;
    if time.duration_since(Time::midnight()) < lead {
        reader.problem(
            lead_line,
            format!(
                "the lead reaches back past midnight, so the run for {} would start the day before",
                time.strftime("%H:%M")
            ),
            "shorten the lead, or move the slot to a later time",
        );
    }
    Some(Slot {
        time,
        weekdays,
        lead,
        line: item.line,
    })
}

fn read_time<'a>(reader: &mut Reader<'a>, value: Value<'a>) -> Option<Time> {
    let time = value
        .value
        .as_str()
        .filter(|text| text.len() == 5)
        .and_then(|text| Time::strptime("%H:%M", text).ok());
    if time.is_none() {
        reader.wrong_type(value, "time", "hours and minutes in quotes, like \"08:00\"");
    }
    time
}

fn read_weekdays<'a>(reader: &mut Reader<'a>, value: Value<'a>) -> Vec<Weekday> {
    let mut weekdays = Vec::new();
    let items = reader.array(value, "weekdays", "days, like [\"monday\", \"friday\"]");
    if items.as_ref().is_some_and(Vec::is_empty) {
        reader.problem(
            value.line,
            "the slot has no weekdays",
            "name at least one, or remove the slot",
        );
    }
    for item in items.unwrap_or_default() {
        let Some(word) = reader.text(item, "a weekday") else {
            continue;
        };
        match parse_weekday(&word) {
            Ok(weekday) if weekdays.contains(&weekday) => {
                reader.problem(
                    item.line,
                    format!("\"{word}\" is there twice"),
                    "name each weekday once",
                );
            }
            Ok(weekday) => weekdays.push(weekday),
            Err((what, fix)) => reader.problem(item.line, what, fix),
        }
    }
    weekdays
}

fn read_duration<'a>(
    reader: &mut Reader<'a>,
    value: Value<'a>,
    key: &str,
) -> Option<SignedDuration> {
    let duration = value
        .value
        .as_str()
        .and_then(|text| text.parse::<SignedDuration>().ok());
    let duration = duration
        .filter(|duration| !duration.is_negative() && *duration <= SignedDuration::from_hours(24));
    if duration.is_none() {
        reader.wrong_type(
            value,
            key,
            "a length of time in quotes of at most 24 hours, like \"10m\" or \"1h 30m\"",
        );
    }
    duration
}

fn read_picture<'a>(reader: &mut Reader<'a>, root: Section<'a>) -> Picture {
    let mut picture = Picture::default();
    let Some(section) = reader.get(root, "picture").and_then(|value| {
        reader.section(value, "[picture]", &["model", "size", "quality", "format"])
    }) else {
        return picture;
    };
    if let Some(value) = reader.get(section, "model") {
        picture.model = reader.text(value, "model").unwrap_or_default();
    }
    if let Some(value) = reader.get(section, "size") {
        match value.value.as_str().filter(|size| is_size(size)) {
            Some(size) => picture.size = size.to_owned(),
            None => reader.wrong_type(
                value,
                "size",
                "width and height that are multiples of 16 and at most 3:1, like \"1024x1024\"",
            ),
        }
    }
    for (key, field, known) in [
        (
            "quality",
            &mut picture.quality,
            &["low", "medium", "high", "xhigh", "max", "auto"][..],
        ),
        ("format", &mut picture.format, &["jpeg", "png", "webp"][..]),
    ] {
        if let Some(value) = reader.get(section, key)
            && let Some(word) = read_word(reader, value, key, known)
        {
            *field = word;
        }
    }
    picture
}

/// Whether OpenAI's image models take this size.
fn is_size(size: &str) -> bool {
    let Some((width, height)) = size.split_once('x') else {
        return size == "auto";
    };
    let (Ok(width), Ok(height)) = (width.parse::<u32>(), height.parse::<u32>()) else {
        return false;
    };
    let side = |side: u32| (256..=3840).contains(&side) && side.is_multiple_of(16);
    side(width) && side(height) && width <= 3 * height && height <= 3 * width
}

fn read_word<'a>(
    reader: &mut Reader<'a>,
    value: Value<'a>,
    key: &str,
    known: &[&str],
) -> Option<String> {
    let word = value.value.as_str().filter(|word| known.contains(word));
    if word.is_none() {
        reader.wrong_type(value, key, &format!("one of \"{}\"", known.join("\", \"")));
    }
    word.map(str::to_owned)
}

fn read_approval<'a>(reader: &mut Reader<'a>, root: Section<'a>) -> Approval {
    let mut approval = Approval::default();
    let known = ["policy", "approvers", "deadline", "on_timeout", "reminder"];
    let value = reader.get(root, "approval");
    let section = value.and_then(|value| reader.section(value, "[approval]", &known));
    if let Some(section) = section {
        if let Some(value) = reader.get(section, "policy") {
            match read_word(reader, value, "policy", &["off", "required"]).as_deref() {
                Some("required") => {}
                // One that cannot be read is a problem of its own.
                _ => approval.policy = Policy::Off,
            }
        }
        if let Some(value) = reader.get(section, "approvers") {
            approval.approvers =
                read_addresses(reader, value, "approvers", "approver", "approvers");
        }
        if let Some(value) = reader.get(section, "deadline")
            && let Some(deadline) = read_duration(reader, value, "deadline")
        {
            approval.deadline = deadline;
            if deadline < SignedDuration::from_mins(5) {
                let fix = "give it at least 5 minutes";
                reader.problem(value.line, "nobody decides as fast as the deadline", fix);
            }
        }
        if let Some(value) = reader.get(section, "on_timeout")
            && read_word(reader, value, "on_timeout", &["skip", "post"]).as_deref() == Some("post")
        {
            approval.on_timeout = OnTimeout::Post;
        }
        if let Some(value) = reader.get(section, "reminder")
            && let Some(reminder) = read_duration(reader, value, "reminder")
        {
            approval.reminder = Some(reminder);
            if reminder >= approval.deadline {
                reader.problem(
                    value.line,
                    "the reminder would come before the mail",
                    "make it shorter than the deadline: it is the time between reminder and deadline",
                );
            }
        }
    }
    if approval.policy == Policy::Required && approval.approvers.is_empty() {
        reader.problem(
            section.map_or(1, |section| section.line),
            "an approval is required, and nobody is there to give it",
            "set approvers = [\"you@example.org\"] in [approval], or policy = \"off\"",
        );
    }
    approval
}

/// The mail addresses of a key, which are called `one` and `many`.
fn read_addresses<'a>(
    reader: &mut Reader<'a>,
    value: Value<'a>,
    key: &str,
    one: &str,
    many: &str,
) -> Vec<String> {
    let mut addresses: Vec<String> = Vec::new();
    let items = reader.array(value, key, "mail addresses in quotes");
    for item in items.unwrap_or_default() {
        let Some(address) = reader.text(item, &format!("an {one}")) else {
            continue;
        };
        let (name, domain) = address.split_once('@').unwrap_or_default();
        let plain = |c: char| {
            c.is_ascii_graphic() && !matches!(c, '@' | ',' | ';' | '<' | '>' | '"' | '(' | ')')
        };
        if name.is_empty()
            || !domain.trim_matches('.').contains('.')
            || address.len() > 254
            || !(name.chars().all(plain) && domain.chars().all(plain))
        {
            reader.problem(
                item.line,
                format!("\"{address}\" is no mail address"),
                "write it without a name, like \"you@example.org\"",
            );
        } else if addresses.contains(&address) {
            let fix = format!("name each {one} once");
            reader.problem(item.line, format!("\"{address}\" is there twice"), fix);
        } else {
            addresses.push(address);
        }
    }
    if addresses.len() > MAX_ADDRESSES {
        reader.problem(
            value.line,
            format!("there are {} {many}", addresses.len()),
            format!("name at most {MAX_ADDRESSES}"),
        );
    }
    addresses
}

fn read_notices<'a>(reader: &mut Reader<'a>, root: Section<'a>, approval: &Approval) -> Notices {
    let mut notices = Notices {
        to: approval.approvers.clone(),
        posted: false,
        skipped: false,
        rejected: false,
    };
    let known = ["to", "posted", "skipped", "rejected"];
    let value = reader.get(root, "notices");
    let section = value.and_then(|value| reader.section(value, "[notices]", &known));
    let to = section.and_then(|section| reader.get(section, "to"));
    if let Some(value) = to {
        notices.to = read_addresses(reader, value, "to", "address", "addresses");
    }
    if let Some(section) = section {
        for (key, field) in [
            ("posted", &mut notices.posted),
            ("skipped", &mut notices.skipped),
            ("rejected", &mut notices.rejected),
        ] {
            let value = reader.get(section, key);
            if let Some(wanted) = value.and_then(|value| reader.truth(value, key)) {
                *field = wanted;
            }
        }
    }
    // What is wrong with an address is a problem of its own.
    if notices.to.is_empty() && !reader.has_problems() {
        reader.problem(
            to.map_or(section.map_or(1, |section| section.line), |to| to.line),
            "nobody would be told when a run fails",
            "set to = [\"you@example.org\"] in [notices]",
        );
    }
    notices
}

fn read_money<'a>(reader: &mut Reader<'a>, root: Section<'a>) -> Money {
    let mut money = Money::default();
    let known = ["per_day_usd", "per_month_usd"];
    let value = reader.get(root, "money");
    let Some(section) = value.and_then(|value| reader.section(value, "[money]", &known)) else {
        return money;
    };
    for (key, field) in [
        ("per_day_usd", &mut money.per_day_micros),
        ("per_month_usd", &mut money.per_month_micros),
    ] {
        if let Some(value) = reader.get(section, key) {
            match read_usd(value) {
                Some(micros) => *field = micros,
                None => reader.wrong_type(value, key, "an amount from 0 to 10000, like 1.50"),
            }
        }
    }
    if money.per_day_micros > money.per_month_micros && !reader.has_problems() {
        reader.problem(
            section.line,
            "a day may cost more than its whole month",
            "make per_day_usd at most per_month_usd",
        );
    }
    money
}

/// An amount in US dollars, in millionths of one.
fn read_usd(value: Value<'_>) -> Option<i64> {
    let usd: f64 = match value.value {
        DeValue::Integer(n) if n.radix() == 10 => n.as_str().parse().ok()?,
        DeValue::Float(n) => n.as_str().parse().ok()?,
        _ => return None,
    };
    (0.0..=10_000.0)
        .contains(&usd)
        .then(|| (usd * 1_000_000.0).round() as i64)
}

fn read_late_after<'a>(reader: &mut Reader<'a>, root: Section<'a>) -> SignedDuration {
    let section = reader
        .get(root, "posting")
        .and_then(|value| reader.section(value, "[posting]", &["late_after"]));
    let late_after = section.and_then(|section| reader.get(section, "late_after"));
    late_after
        .and_then(|value| read_duration(reader, value, "late_after"))
        .unwrap_or(SignedDuration::from_hours(6))
}

fn read_voice<'a>(reader: &mut Reader<'a>, root: Section<'a>) -> Option<Voice> {
    let value = reader.require(root, "voice", "{ … }, or a section [voice]")?;
    let section = reader.section(
        value,
        "[voice]",
        &[
            "brief",
            "avoid",
            "scenes",
            "styles",
            "lighting",
            "palettes",
            "compositions",
            "softness",
            "captions",
            "hashtags",
            "hashtags_per_caption",
            "alt_texts",
        ],
    )?;
    let mut lists = Lists { reader, section };
    let voice = Voice {
        brief: lists.text("brief", "\"A spooky picture\"")?,
        avoid: lists.text("avoid", "\"No text, no brands, no gore.\"")?,
        scenes: lists.templates("scenes", &["name", "subject"], &[]),
        styles: lists.templates("styles", &[], &[]),
        lighting: lists.templates("lighting", &[], &[]),
        palettes: lists.templates("palettes", &[], &[]),
        compositions: lists.templates("compositions", &[], &[]),
        softness: lists.softness(),
        captions: lists.templates("captions", &["name", "subject"], &["name"]),
        hashtags: lists.hashtags(),
        hashtags_per_caption: lists.hashtags_per_caption(),
        alt_texts: lists.templates("alt_texts", &["name", "scene", "style"], &["name", "scene"]),
    };
    let size = serde_json::to_vec(&voice).map_or(0, |json| json.len());
    if size > MAX_VOICE {
        reader.problem(
            value.line,
            format!("[voice] has {size} bytes, and every run carries it"),
            format!("shorten it to {MAX_VOICE}"),
        );
    }
    Some(voice)
}

/// Reads the parts of `[voice]`.
struct Lists<'r, 'a> {
    reader: &'r mut Reader<'a>,
    section: Section<'a>,
}

impl<'a> Lists<'_, 'a> {
    fn text(&mut self, key: &str, example: &str) -> Option<String> {
        let value = self.reader.require(self.section, key, example)?;
        self.reader.text(value, key)
    }

    /// A list that is not empty, of texts with no placeholders but these, and with the needed ones.
    fn templates(&mut self, key: &str, known: &[&str], needed: &[&str]) -> Vec<String> {
        match self.reader.require(self.section, key, "[\"…\"]") {
            Some(value) => templates(self.reader, value, key, known, needed),
            None => Vec::new(),
        }
    }

    fn softness(&mut self) -> Vec<Softness> {
        let Some(value) = self.reader.require(
            self.section,
            "softness",
            "[{ mood = \"spooky\" }, { mood = \"mild\" }, { mood = \"sweet\" }]",
        ) else {
            return Vec::new();
        };
        let Some(items) = self
            .reader
            .array(value, "softness", "tables with a mood each")
        else {
            return Vec::new();
        };
        if items.len() != SOFTNESS_LEVELS {
            self.reader.problem(
                value.line,
                format!("softness has {} levels", items.len()),
                format!("give it {SOFTNESS_LEVELS}: as it is meant, softer, softest"),
            );
        }
        let mut levels = Vec::new();
        for item in items {
            let Some(section) =
                self.reader
                    .section(item, "a level of softness", &["mood", "scenes"])
            else {
                continue;
            };
            let mood = self.reader.require(section, "mood", "\"gently spooky\"");
            let mood = mood
                .and_then(|value| self.reader.text(value, "mood"))
                .unwrap_or_default();
            let scenes = match self.reader.get(section, "scenes") {
                Some(value) => templates(self.reader, value, "scenes", &["name", "subject"], &[]),
                None => Vec::new(),
            };
            levels.push(Softness { mood, scenes });
        }
        levels
    }

    fn hashtags(&mut self) -> Vec<String> {
        let Some(value) = self.reader.get(self.section, "hashtags") else {
            return Vec::new();
        };
        let mut hashtags = Vec::new();
        for item in self
            .reader
            .array(value, "hashtags", "hashtags, like [\"#SpookyDays\"]")
            .unwrap_or_default()
        {
            let Some(tag) = self.reader.text(item, "a hashtag") else {
                continue;
            };
            let word = tag.strip_prefix('#').unwrap_or_default();
            if word.chars().any(char::is_alphabetic)
                && word.chars().all(|c| c.is_alphanumeric() || c == '_')
            {
                hashtags.push(tag);
            } else {
                self.reader.problem(
                    item.line,
                    format!("\"{tag}\" is no hashtag"),
                    "write # and letters, digits or _, like \"#SpookyDays\"",
                );
            }
        }
        hashtags
    }

    fn hashtags_per_caption(&mut self) -> usize {
        let number = match self.reader.get(self.section, "hashtags_per_caption") {
            Some(value) => self.reader.number(value, "hashtags_per_caption", 0..=5),
            None => Some(2),
        };
        number
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or_default()
    }
}

fn templates<'a>(
    reader: &mut Reader<'a>,
    value: Value<'a>,
    key: &str,
    known: &[&str],
    needed: &[&str],
) -> Vec<String> {
    let items = reader.array(value, key, "texts in quotes");
    if items.as_ref().is_some_and(Vec::is_empty) {
        reader.problem(
            value.line,
            format!("{key} is empty"),
            "give it at least one text",
        );
    }
    let mut texts: Vec<String> = Vec::new();
    for item in items.unwrap_or_default() {
        let Some(text) = reader.text(item, key) else {
            continue;
        };
        for placeholder in text
            .split('{')
            .skip(1)
            .map(|rest| rest.split('}').next().unwrap_or_default())
        {
            if !known.contains(&placeholder) {
                let fix = match nearest(placeholder, known.iter().copied()) {
                    Some(near) => format!("did you mean {{{near}}}?"),
                    None if known.is_empty() => "take the braces out".to_owned(),
                    None => format!("use one of {{{}}}", known.join("}, {")),
                };
                reader.problem(item.line, format!("{key} has no {{{placeholder}}}"), fix);
            }
        }
        for needed in needed {
            if !text.contains(&format!("{{{needed}}}")) {
                reader.problem(
                    item.line,
                    format!("the text does not say {{{needed}}}"),
                    format!("put {{{needed}}} into it"),
                );
            }
        }
        let lower = text.to_lowercase();
        if [
            "national {name}",
            "international {name}",
            "world {name}",
            "{name} day",
        ]
        .iter()
        .any(|double| lower.contains(double))
        {
            reader.problem(
                item.line,
                "\"National\" or \"Day\" would be there twice",
                "take it out: {name} is the whole name, like National Pumpkin Day",
            );
        }
        if texts.contains(&text) {
            reader.problem(
                item.line,
                "the text is there twice",
                "remove one of the two",
            );
        }
        texts.push(text);
    }
    texts
}
