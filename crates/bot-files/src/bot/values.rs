//! Values that several sections have: durations, words, mail addresses, time zones.

use jiff::{SignedDuration, tz::TimeZone};

use crate::toml_reader::{Reader, Section, Value, nearest};

/// The most addresses of a list; each gets a separate mail.
const MAX_ADDRESSES: usize = 10;

pub(super) const MAX_DURATION: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn time_zone<'a>(reader: &mut Reader<'a>, root: Section<'a>) -> Option<TimeZone> {
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
            None => "use a name of the IANA database, such as \"America/New_York\"".to_owned(),
        };
        reader.problem(value.line, format!("unknown time zone \"{name}\"; {fix}"));
    }
    found
}

/// A duration from `least` to [`MAX_DURATION`].
pub(super) fn duration<'a>(
    reader: &mut Reader<'a>,
    value: Value<'a>,
    key: &str,
    least: SignedDuration,
) -> Option<SignedDuration> {
    let text = value.value.as_str().unwrap_or_default();
    let Ok(duration) = text.parse::<SignedDuration>() else {
        reader.must_be(value, key, "a duration such as \"10m\" or \"1h 30m\"");
        return None;
    };
    if (least..=MAX_DURATION).contains(&duration) {
        return Some(duration);
    }
    let range = format!("between {least:#} and {MAX_DURATION:#}");
    reader.problem(value.line, format!("`{key}` must be {range} (got {text})"));
    None
}

/// One of a few words.
pub(super) fn word<'a>(
    reader: &mut Reader<'a>,
    value: Value<'a>,
    key: &str,
    known: &[&str],
) -> Option<String> {
    let word = value.value.as_str().filter(|word| known.contains(word));
    if word.is_none() {
        let words: Vec<String> = known.iter().map(|word| format!("\"{word}\"")).collect();
        reader.must_be(value, key, &format!("one of {}", words.join(", ")));
    }
    word.map(str::to_owned)
}

/// A list of mail addresses.
pub(super) fn addresses<'a>(reader: &mut Reader<'a>, value: Value<'a>, key: &str) -> Vec<String> {
    let mut addresses: Vec<String> = Vec::new();
    let items = reader.array(value, key, "mail addresses in quotes");
    for item in items.unwrap_or_default() {
        let Some(address) = reader.text(item, "a mail address") else {
            continue;
        };
        if !is_address(&address) {
            let fix = "write an address without a name, such as \"you@example.org\"";
            let message = format!("\"{address}\" is not a valid mail address; {fix}");
            reader.problem(item.line, message);
        } else if addresses.contains(&address) {
            let message = format!("\"{address}\" is listed twice; remove one of the two");
            reader.problem(item.line, message);
        } else {
            addresses.push(address);
        }
    }
    if addresses.len() > MAX_ADDRESSES {
        let got = addresses.len();
        let message = format!("`{key}` must have at most {MAX_ADDRESSES} addresses (got {got})");
        reader.problem(value.line, message);
    }
    addresses
}

fn is_address(text: &str) -> bool {
    let (name, domain) = text.split_once('@').unwrap_or_default();
    let plain = |c: char| {
        c.is_ascii_graphic() && !matches!(c, '@' | ',' | ';' | '<' | '>' | '"' | '(' | ')')
    };
    !name.is_empty()
        && domain.trim_matches('.').contains('.')
        && text.len() <= 254
        && name.chars().all(plain)
        && domain.chars().all(plain)
}
