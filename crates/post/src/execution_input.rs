//! The input of an execution, and the only arithmetic between a start, a lead and a slot.
//!
//! A schedule starts a run its lead before the slot. The lead is taken off in civil time, on the clock on the wall of
//! the bot's time zone, because that is how EventBridge Scheduler evaluates a cron expression. Adding the lead in
//! civil time again gives the slot's date, across midnights and clock changes.

use std::fmt::Write;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, TimeZone},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::is_bot_name;

/// The longest lead of a slot.
pub const MAX_LEAD: SignedDuration = SignedDuration::from_hours(168);

/// What an execution of the state machine is started with.
///
/// Schedules, runs by hand and dry runs are all written with [`ExecutionInput::to_json`], and every reader uses
/// [`ExecutionInput::read`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct ExecutionInput {
    /// The bot's folder name.
    pub bot: String,
    /// Which of the date's posts; the first is 1.
    pub slot: u32,
    /// What the date of the post follows from.
    pub when: When,
    /// Whether the execution claims, buys and posts nothing.
    pub dry_run: bool,
}

/// What the date of a post follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A start by a schedule.
    Scheduled {
        /// The time for which Scheduler started it.
        time: Timestamp,
        /// How long before the slot that is, in civil time. Schedules made before leads could cross midnight do not
        /// give it: the date of the start is then the date of the slot.
        lead: Option<SignedDuration>,
    },
    /// A start by hand, for a date.
    Date {
        /// The bot's local date.
        date: Date,
        /// Whether the run waits for the slot's time instead of posting at once.
        at_slot: bool,
    },
}

/// An input that cannot be used: what is wrong, then what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidInput(String);

/// A slot whose run does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoStart {
    /// Clocks skip the start, and Scheduler skips it with them.
    #[error("{0} is skipped when the clocks go forward")]
    ClockGap(DateTime),
    /// The start is outside the years that a calendar has.
    #[error("the start is out of range")]
    OutOfRange,
}

impl TryFrom<Value> for ExecutionInput {
    type Error = InvalidInput;

    fn try_from(input: Value) -> Result<ExecutionInput, InvalidInput> {
        ExecutionInput::read(&input)
    }
}

impl ExecutionInput {
    /// A run by hand that posts at once.
    pub fn ad_hoc(bot: &str, date: Date, slot: u32) -> ExecutionInput {
        ExecutionInput {
            bot: bot.to_owned(),
            slot,
            when: When::Date {
                date,
                at_slot: false,
            },
            dry_run: false,
        }
    }

    /// A dry run.
    pub fn dry_run(bot: &str, date: Date, slot: u32) -> ExecutionInput {
        ExecutionInput {
            dry_run: true,
            ..ExecutionInput::ad_hoc(bot, date, slot)
        }
    }

    /// What a schedule starts at `time`, this long before the slot.
    pub fn scheduled(
        bot: &str,
        slot: u32,
        time: Timestamp,
        lead: SignedDuration,
    ) -> ExecutionInput {
        ExecutionInput {
            bot: bot.to_owned(),
            slot,
            when: When::Scheduled {
                time,
                lead: Some(lead),
            },
            dry_run: false,
        }
    }

    /// Reads the input of an execution. Unknown fields are ignored, and `null` counts as absent.
    pub fn read(input: &Value) -> Result<ExecutionInput, InvalidInput> {
        let fields = input.as_object().ok_or_else(|| {
            refuse("the input must be a JSON object such as {\"bot\": \"spooky-days\", \"slot\": 1, \"date\": \"2026-10-30\"}")
        })?;
        let fields = Fields(fields);
        Ok(ExecutionInput {
            bot: fields.bot()?,
            slot: fields.slot()?,
            when: fields.when()?,
            dry_run: fields.dry_run()?,
        })
    }

    /// Reads the input of an execution that has failed. PickDay may have rejected an input with both `scheduledTime` and
    /// `date`, but it still names a post: that of the date.
    pub fn read_failed(input: &Value) -> Result<ExecutionInput, InvalidInput> {
        let mut input = input.clone();
        if let Some(fields) = input.as_object_mut()
            && fields.get("date").is_some_and(|date| !date.is_null())
        {
            fields.remove("scheduledTime");
        }
        ExecutionInput::read(&input)
    }

    /// The input as the state machine gets it.
    pub fn to_json(&self) -> Value {
        let mut json = json!({"bot": self.bot, "slot": self.slot});
        match self.when {
            When::Scheduled { time, lead } => {
                json["scheduledTime"] = time.to_string().into();
                if let Some(lead) = lead {
                    json["lead"] = lead_text(lead).into();
                }
            }
            When::Date { date, at_slot } => {
                json["date"] = date.to_string().into();
                if at_slot {
                    json["at"] = "slot".into();
                }
            }
        }
        if self.dry_run {
            json["dryRun"] = true.into();
        }
        json
    }

    /// The date of the post, in the bot's time zone.
    pub fn date(&self, zone: &TimeZone) -> Date {
        match self.when {
            When::Date { date, .. } => date,
            When::Scheduled { time, lead } => slot_of_start(time, lead, zone).date(),
        }
    }

    /// Whether the post appears at its slot's time, and not as soon as it is approved.
    pub fn waits_for_slot(&self) -> bool {
        match self.when {
            When::Scheduled { .. } => true,
            When::Date { at_slot, .. } => at_slot,
        }
    }

    /// When the post of a scheduled start appears, by its lead, in the bot's time zone.
    pub fn scheduled_slot(&self, zone: &TimeZone) -> Option<DateTime> {
        match self.when {
            When::Date { .. } => None,
            When::Scheduled { time, lead } => Some(slot_of_start(time, lead, zone)),
        }
    }

    /// The dates that the post can have where the bot's time zone is not known.
    pub fn possible_dates(&self) -> Vec<Date> {
        match self.when {
            When::Date { date, .. } => vec![date],
            When::Scheduled { .. } => {
                let date = self.date(&TimeZone::UTC);
                [Ok(date), date.yesterday(), date.tomorrow()]
                    .into_iter()
                    .flatten()
                    .collect()
            }
        }
    }
}

/// The civil time of the slot whose run started at `start`.
fn slot_of_start(start: Timestamp, lead: Option<SignedDuration>, zone: &TimeZone) -> DateTime {
    zone.to_datetime(start)
        .saturating_add(lead.unwrap_or_default())
}

/// When the run of a slot starts: its civil time less the lead, as an instant. Of an hour that comes twice, the first.
pub fn start_of_slot(
    slot: DateTime,
    lead: SignedDuration,
    zone: &TimeZone,
) -> Result<Timestamp, NoStart> {
    let start = slot.checked_sub(lead).map_err(|_| NoStart::OutOfRange)?;
    let instant = zone.to_ambiguous_timestamp(start);
    if matches!(instant.offset(), AmbiguousOffset::Gap { .. }) {
        return Err(NoStart::ClockGap(start));
    }
    instant.compatible().map_err(|_| NoStart::OutOfRange)
}

/// A lead as text, such as `2h` or `1h 30m`.
pub fn lead_text(lead: SignedDuration) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(text, "{lead:#}");
    text
}

/// The fields of an input.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn bot(&self) -> Result<String, InvalidInput> {
        let bot = self.get("bot");
        match bot.and_then(Value::as_str).filter(|bot| is_bot_name(bot)) {
            Some(name) => Ok(name.to_owned()),
            None => Err(wrong("bot", "be the name of a folder in bots/", bot)),
        }
    }

    fn slot(&self) -> Result<u32, InvalidInput> {
        let slot = self.get("slot");
        let number = slot.and_then(Value::as_u64).and_then(|n| n.try_into().ok());
        number
            .filter(|number| *number > 0)
            .ok_or_else(|| wrong("slot", "be a whole number; the first slot is 1", slot))
    }

    fn when(&self) -> Result<When, InvalidInput> {
        match (self.get("scheduledTime"), self.get("date")) {
            (Some(time), None) => Ok(When::Scheduled {
                time: scheduled_time(time)?,
                lead: self.get("lead").map(lead).transpose()?,
            }),
            (None, Some(value)) => Ok(When::Date {
                date: date(value)?,
                at_slot: self.at_slot()?,
            }),
            (Some(_), Some(_)) => Err(refuse(
                "`scheduledTime` and `date` are both given; remove one of them",
            )),
            (None, None) => Err(refuse(
                "neither `scheduledTime` nor `date` is given; add `date`, such as \"2026-10-30\"",
            )),
        }
    }

    fn at_slot(&self) -> Result<bool, InvalidInput> {
        match self.get("at") {
            None => Ok(false),
            Some(at) if at == "slot" => Ok(true),
            at => Err(wrong("at", "be \"slot\", or be left out", at)),
        }
    }

    fn dry_run(&self) -> Result<bool, InvalidInput> {
        match self.get("dryRun") {
            None => Ok(false),
            Some(Value::Bool(dry_run)) => Ok(*dry_run),
            dry_run => Err(wrong("dryRun", "be true or false", dry_run)),
        }
    }
}

fn scheduled_time(value: &Value) -> Result<Timestamp, InvalidInput> {
    let text = value.as_str().unwrap_or_default();
    if text.contains("aws.scheduler") {
        return Err(refuse(
            "`scheduledTime` is the literal text \"<aws.scheduler.scheduled-time>\", which only EventBridge Scheduler replaces; give `date` instead",
        ));
    }
    text.parse().map_err(|_| {
        wrong(
            "scheduledTime",
            "be a time such as 2026-10-30T12:00:00Z",
            Some(value),
        )
    })
}

fn lead(value: &Value) -> Result<SignedDuration, InvalidInput> {
    let lead: Option<SignedDuration> = value.as_str().and_then(|text| text.parse().ok());
    lead.filter(|lead| (SignedDuration::ZERO..=MAX_LEAD).contains(lead))
        .ok_or_else(|| {
            wrong(
                "lead",
                "be a duration of at most 168h, such as \"2h\"",
                Some(value),
            )
        })
}

fn date(value: &Value) -> Result<Date, InvalidInput> {
    let date = value.as_str().and_then(|text| text.parse().ok());
    date.ok_or_else(|| wrong("date", "be a date such as 2026-10-30", Some(value)))
}

fn refuse(message: impl Into<String>) -> InvalidInput {
    InvalidInput(message.into())
}

fn wrong(field: &str, must: &str, got: Option<&Value>) -> InvalidInput {
    match got {
        Some(got) => refuse(format!("`{field}` must {must} (got {got})")),
        None => refuse(format!("`{field}` is missing; it must {must}")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use jiff::{ToSpan, civil::date, tz::Offset};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    #[test]
    fn every_input_reads_back_as_it_was_written() {
        let halloween = date(2026, 10, 31);
        let noon = at("2026-10-31T12:00:00Z");
        let lead = SignedDuration::from_mins(90);
        let scheduled = ExecutionInput::scheduled("spooky-days", 2, noon, lead);
        let old = When::Scheduled {
            time: noon,
            lead: None,
        };
        let waits = When::Date {
            date: halloween,
            at_slot: true,
        };
        let ad_hoc = ExecutionInput::ad_hoc("spooky-days", halloween, 1);
        for (input, written) in [
            (
                scheduled.clone(),
                json!({"bot": "spooky-days", "slot": 2, "scheduledTime": "2026-10-31T12:00:00Z", "lead": "1h 30m"}),
            ),
            (
                ExecutionInput {
                    when: old,
                    ..scheduled
                },
                json!({"bot": "spooky-days", "slot": 2, "scheduledTime": "2026-10-31T12:00:00Z"}),
            ),
            (
                ad_hoc.clone(),
                json!({"bot": "spooky-days", "slot": 1, "date": "2026-10-31"}),
            ),
            (
                ExecutionInput {
                    when: waits,
                    ..ad_hoc
                },
                json!({"bot": "spooky-days", "slot": 1, "date": "2026-10-31", "at": "slot"}),
            ),
            (
                ExecutionInput::dry_run("spooky-days", halloween, 1),
                json!({"bot": "spooky-days", "slot": 1, "date": "2026-10-31", "dryRun": true}),
            ),
        ] {
            assert_eq!(input.to_json(), written);
            assert_eq!(ExecutionInput::read(&written), Ok(input));
        }
    }

    #[test]
    fn unknown_fields_are_ignored_and_null_counts_as_absent() {
        let input = json!({"bot": "spooky-days", "slot": 1, "date": "2026-10-31", "scheduledTime": null, "lead": null, "dryRun": null, "note": 1});
        let read = ExecutionInput::read(&input).unwrap();
        assert_eq!(
            read,
            ExecutionInput::ad_hoc("spooky-days", date(2026, 10, 31), 1)
        );
    }

    #[test]
    fn an_input_that_cannot_be_used_names_what_to_fix() {
        let sound =
            json!({"bot": "spooky-days", "slot": 1, "scheduledTime": "2026-10-31T12:00:00Z"});
        for (change, message) in [
            (
                json!({"bot": null}),
                "`bot` is missing; it must be the name of a folder in bots/",
            ),
            (
                json!({"bot": "../x"}),
                "`bot` must be the name of a folder in bots/ (got \"../x\")",
            ),
            (
                json!({"slot": null}),
                "`slot` is missing; it must be a whole number; the first slot is 1",
            ),
            (
                json!({"slot": 0}),
                "`slot` must be a whole number; the first slot is 1 (got 0)",
            ),
            (
                json!({"slot": -1}),
                "`slot` must be a whole number; the first slot is 1 (got -1)",
            ),
            (
                json!({"slot": "1"}),
                "`slot` must be a whole number; the first slot is 1 (got \"1\")",
            ),
            (
                json!({"date": "2026-10-31"}),
                "`scheduledTime` and `date` are both given; remove one of them",
            ),
            (
                json!({"scheduledTime": null}),
                "neither `scheduledTime` nor `date` is given; add `date`, such as \"2026-10-30\"",
            ),
            (
                json!({"scheduledTime": "<aws.scheduler.scheduled-time>"}),
                "`scheduledTime` is the literal text \"<aws.scheduler.scheduled-time>\", which only EventBridge Scheduler replaces; give `date` instead",
            ),
            (
                json!({"scheduledTime": ""}),
                "`scheduledTime` must be a time such as 2026-10-30T12:00:00Z (got \"\")",
            ),
            (
                json!({"scheduledTime": "yesterday\nat noon"}),
                "`scheduledTime` must be a time such as 2026-10-30T12:00:00Z (got \"yesterday\\nat noon\")",
            ),
            (
                json!({"scheduledTime": "2026-10-30"}),
                "`scheduledTime` must be a time such as 2026-10-30T12:00:00Z (got \"2026-10-30\")",
            ),
            (
                json!({"scheduledTime": "2026-10-30T12:00:00"}),
                "`scheduledTime` must be a time such as 2026-10-30T12:00:00Z (got \"2026-10-30T12:00:00\")",
            ),
            (
                json!({"scheduledTime": "2026-13-30T12:00:00Z"}),
                "`scheduledTime` must be a time such as 2026-10-30T12:00:00Z (got \"2026-13-30T12:00:00Z\")",
            ),
            (
                json!({"lead": 2}),
                "`lead` must be a duration of at most 168h, such as \"2h\" (got 2)",
            ),
            (
                json!({"lead": "-2h"}),
                "`lead` must be a duration of at most 168h, such as \"2h\" (got \"-2h\")",
            ),
            (
                json!({"lead": "169h"}),
                "`lead` must be a duration of at most 168h, such as \"2h\" (got \"169h\")",
            ),
            (
                json!({"scheduledTime": null, "date": "2026-02-29"}),
                "`date` must be a date such as 2026-10-30 (got \"2026-02-29\")",
            ),
            (
                json!({"scheduledTime": null, "date": "today"}),
                "`date` must be a date such as 2026-10-30 (got \"today\")",
            ),
            (
                json!({"scheduledTime": null, "date": 20261030}),
                "`date` must be a date such as 2026-10-30 (got 20261030)",
            ),
            (
                json!({"scheduledTime": null, "date": "2026-10-31", "at": "noon"}),
                "`at` must be \"slot\", or be left out (got \"noon\")",
            ),
            (
                json!({"dryRun": "yes"}),
                "`dryRun` must be true or false (got \"yes\")",
            ),
        ] {
            let mut input = sound.clone();
            for (key, value) in change.as_object().unwrap() {
                input[key] = value.clone();
            }
            let refused = ExecutionInput::read(&input).unwrap_err().to_string();
            assert_eq!(refused, message, "{change}");
        }
        let refused = ExecutionInput::read(&json!([])).unwrap_err().to_string();
        assert!(
            refused.starts_with("the input must be a JSON object such as {"),
            "{refused}"
        );
    }

    #[test]
    fn a_failed_execution_that_names_a_date_is_about_it_whatever_else_it_names() {
        let input = json!({"bot": "spooky-days", "slot": 1, "date": "2026-10-31", "scheduledTime": "2026-10-30T12:00:00Z"});
        let read = ExecutionInput::read_failed(&input);
        let expected = ExecutionInput::ad_hoc("spooky-days", date(2026, 10, 31), 1);
        assert_eq!(read, Ok(expected));
        let scheduled =
            json!({"bot": "spooky-days", "slot": 1, "scheduledTime": "2026-10-30T12:00:00Z"});
        let read = ExecutionInput::read_failed(&scheduled);
        assert_eq!(read, ExecutionInput::read(&scheduled));
    }

    #[test]
    fn a_start_without_a_lead_is_on_the_date_of_its_slot() {
        let new_york = zone("America/New_York");
        for (time, lead, expected) in [
            ("2026-10-30T11:50:00Z", None, date(2026, 10, 30)),
            // 23:30 on the 30th in New York.
            ("2026-10-31T03:30:00Z", None, date(2026, 10, 30)),
            ("2026-10-31T03:30:00Z", Some("1h"), date(2026, 10, 31)),
            ("2026-10-31T03:30:00Z", Some("25h"), date(2026, 11, 1)),
            // A week before 00:30 on 8 November, at 00:30 on the day with 25 hours.
            ("2026-11-01T04:30:00Z", Some("168h"), date(2026, 11, 8)),
        ] {
            let input = ExecutionInput {
                when: When::Scheduled {
                    time: at(time),
                    lead: lead.map(|lead| lead.parse().unwrap()),
                },
                ..ExecutionInput::ad_hoc("spooky-days", date(2026, 1, 1), 1)
            };
            assert_eq!(input.date(&new_york), expected, "{time} {lead:?}");
            assert!(
                input.possible_dates().contains(&expected),
                "{time} {lead:?}"
            );
        }
    }

    /// The years in which bots' files are checked.
    fn years() -> (Timestamp, Timestamp) {
        (at("2024-01-01T00:00:00Z"), at("2041-01-01T00:00:00Z"))
    }

    /// A clock change: the instant, and the offsets before and after it.
    type ClockChange = (Timestamp, Offset, Offset);

    /// The clock changes of a zone, with its offset before the first.
    fn clock_changes(zone: &TimeZone) -> (Offset, Vec<ClockChange>) {
        let (first, last) = years();
        let mut before = zone.to_offset(first);
        let start = before;
        let mut changes = Vec::new();
        for change in zone
            .following(first)
            .take_while(|change| change.timestamp() < last)
        {
            if change.offset() != before {
                changes.push((change.timestamp(), before, change.offset()));
            }
            before = change.offset();
        }
        (start, changes)
    }

    /// Every zone of the bundled database. Of zones whose clocks agree in all of these years, one is enough.
    fn zones() -> Vec<(TimeZone, Vec<ClockChange>)> {
        let names: Vec<_> = jiff::tz::db().available().collect();
        assert!(names.len() > 400, "{} zones", names.len());
        let zones = names.iter().map(|name| zone(name.as_str()));
        let by_clock: HashMap<_, _> = zones.map(|zone| (clock_changes(&zone), zone)).collect();
        by_clock
            .into_iter()
            .map(|((_, changes), zone)| (zone, changes))
            .collect()
    }

    /// Checks that the start of a slot leads back to the slot's date, or is reported as skipped by the clocks.
    fn check(
        slot: DateTime,
        lead: SignedDuration,
        zone: &TimeZone,
        changes: &[ClockChange],
    ) -> usize {
        let start = slot.checked_sub(lead).unwrap();
        let skipped = changes.iter().any(|(instant, before, after)| {
            (before.to_datetime(*instant)..after.to_datetime(*instant)).contains(&start)
        });
        match start_of_slot(slot, lead, zone) {
            Ok(at) => {
                let input = ExecutionInput::scheduled("spooky-days", 1, at, lead);
                let where_ = || format!("{slot} less {lead:#} in {zone:?}");
                assert_eq!(input.date(zone), slot.date(), "{}", where_());
                assert!(!skipped, "{}", where_());
            }
            Err(no_start) => {
                assert_eq!(no_start, NoStart::ClockGap(start), "{zone:?}");
                assert!(skipped, "{slot} less {lead:#} in {zone:?}");
            }
        }
        1
    }

    #[test]
    fn a_start_leads_back_to_the_date_of_its_slot_in_every_zone_at_every_clock_change_with_every_lead()
     {
        let leads: Vec<_> = (0..=168)
            .map(SignedDuration::from_hours)
            .chain([10, 90, 1439, 10_079].map(SignedDuration::from_mins))
            .collect();
        let times = ["00:00", "00:30", "02:30", "08:00", "23:59"].map(|time| time.parse().unwrap());
        let mut checked = 0;
        for (zone, changes) in zones() {
            // A zone without clock changes has midnights, too.
            let quiet = (at("2030-06-15T12:00:00Z"), zone.to_offset(years().0));
            let quiet = (quiet.0, quiet.1, quiet.1);
            for (instant, before, after) in changes.iter().chain([&quiet]) {
                let change = before.to_datetime(*instant);
                // The slot is close to the change: on its date and on those beside it, early and late.
                for day in -1..=1 {
                    let date = change.date().checked_add(day.days()).unwrap();
                    for time in times {
                        for lead in &leads {
                            checked += check(date.to_datetime(time), *lead, &zone, &changes);
                        }
                    }
                }
                // The start is close to the change, on both of its sides.
                for side in [change, after.to_datetime(*instant)] {
                    for minutes in [-60, -1, 0, 1, 59] {
                        let start = side.checked_add(minutes.minutes()).unwrap();
                        for lead in leads.iter().step_by(7) {
                            let slot = start.checked_add(*lead).unwrap();
                            checked += check(slot, *lead, &zone, &changes);
                        }
                    }
                }
            }
        }
        assert!(checked > 1_000_000, "{checked}");
    }
}
