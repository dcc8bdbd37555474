//! The cron expression by which EventBridge Scheduler starts the runs of a slot.

use std::{collections::BTreeSet, fmt};

use jiff::{
    ToSpan,
    civil::{Time, Weekday},
};

use crate::Slot;

const NAMES: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A time on certain days of each week, in the time zone of its schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    /// The time, in whole minutes.
    pub time: Time,
    /// The days of the week, from Monday on, each once.
    weekdays: BTreeSet<i8>,
}

impl Cron {
    /// A time on these days of the week.
    pub fn new(time: Time, weekdays: impl IntoIterator<Item = Weekday>) -> Cron {
        let weekdays = weekdays
            .into_iter()
            .map(Weekday::to_monday_zero_offset)
            .collect();
        Cron { time, weekdays }
    }

    /// Reads an expression such as `cron(0 6 ? * MON-FRI *)`; `None` for one that is not a single time on certain
    /// days of every week.
    pub fn parse(expression: &str) -> Option<Cron> {
        let fields = expression.strip_prefix("cron(")?.strip_suffix(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let [minute, hour, day, month, weekdays, year] = fields[..] else {
            return None;
        };
        if !["?", "*"].contains(&day) || month != "*" || year != "*" {
            return None;
        }
        let time = Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()?;
        let mut found = Vec::new();
        for part in weekdays.split(',') {
            found.extend(parse_weekdays(part)?);
        }
        Some(Cron::new(time, found))
    }
}

impl Slot {
    /// When the runs of the slot start: its lead before its time, on a day before where the lead crosses midnight.
    pub fn cron(&self) -> Cron {
        // The arithmetic is that of any one week, since cron expressions know no clock changes.
        let monday = jiff::civil::date(2024, 1, 1);
        let starts = self.weekdays.iter().map(|weekday| {
            let date = monday.saturating_add(i64::from(weekday.to_monday_zero_offset()).days());
            date.to_datetime(self.time).saturating_sub(self.lead)
        });
        let starts: Vec<_> = starts.collect();
        let time = starts.first().map_or(self.time, |start| start.time());
        Cron::new(time, starts.iter().map(|start| start.weekday()))
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cron { time, weekdays } = self;
        let names: Vec<&str> = weekdays
            .iter()
            .filter_map(|offset| Weekday::from_monday_zero_offset(*offset).ok())
            .map(|weekday| NAMES[usize::try_from(weekday.to_sunday_zero_offset()).unwrap_or(0)])
            .collect();
        write!(
            f,
            "cron({} {} ? * {} *)",
            time.minute(),
            time.hour(),
            names.join(",")
        )
    }
}

/// A weekday, a range of them, or all.
fn parse_weekdays(part: &str) -> Option<Vec<Weekday>> {
    if ["?", "*"].contains(&part) {
        return Some(Weekday::Monday.cycle_forward().take(7).collect());
    }
    let Some((first, last)) = part.split_once('-') else {
        return Some(vec![parse_weekday(part)?]);
    };
    let (first, last) = (parse_weekday(first)?, parse_weekday(last)?);
    let days = usize::try_from(first.until(last)).ok()? + 1;
    Some(first.cycle_forward().take(days).collect())
}

/// A weekday as AWS writes it: `MON`, or a number from 1 for Sunday.
fn parse_weekday(text: &str) -> Option<Weekday> {
    if let Ok(number) = text.parse::<i8>() {
        return Weekday::from_sunday_one_offset(number).ok();
    }
    let place = NAMES
        .iter()
        .position(|name| text.eq_ignore_ascii_case(name))?;
    Weekday::from_sunday_zero_offset(i8::try_from(place).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};

    const WEEK: [Weekday; 5] = [Monday, Tuesday, Wednesday, Thursday, Friday];

    fn slot(time: &str, lead: &str, weekdays: &[Weekday]) -> Slot {
        Slot {
            time: time.parse().unwrap(),
            weekdays: weekdays.to_vec(),
            lead: lead.parse().unwrap(),
            line: 1,
        }
    }

    #[test]
    fn a_run_starts_its_lead_before_the_slot_and_on_an_earlier_weekday_where_the_lead_crosses_midnight()
     {
        for (time, lead, weekdays, expression) in [
            (
                "08:00",
                "2h",
                &WEEK[..],
                "cron(0 6 ? * MON,TUE,WED,THU,FRI *)",
            ),
            ("08:00", "8h", &WEEK, "cron(0 0 ? * MON,TUE,WED,THU,FRI *)"),
            (
                "08:00",
                "8h 1m",
                &WEEK,
                "cron(59 23 ? * MON,TUE,WED,THU,SUN *)",
            ),
            ("00:00", "10m", &[Monday], "cron(50 23 ? * SUN *)"),
            (
                "00:05",
                "24h",
                &[Saturday, Sunday],
                "cron(5 0 ? * FRI,SAT *)",
            ),
            (
                "08:00",
                "36h",
                &[Monday, Sunday],
                "cron(0 20 ? * FRI,SAT *)",
            ),
            ("08:00", "168h", &[Friday], "cron(0 8 ? * FRI *)"),
            ("08:00", "167h", &[Friday], "cron(0 9 ? * FRI *)"),
            ("08:00", "159h", &[Friday], "cron(0 17 ? * FRI *)"),
            ("23:30", "0s", &[Wednesday], "cron(30 23 ? * WED *)"),
        ] {
            let slot = slot(time, lead, weekdays);
            assert_eq!(slot.cron().to_string(), expression, "{time} less {lead}");
            assert_eq!(Cron::parse(expression), Some(slot.cron()));
        }
    }

    #[test]
    fn a_cron_expression_is_read_as_scheduler_reads_it() {
        let six = jiff::civil::time(6, 0, 0, 0);
        for expression in [
            "cron(0 6 ? * MON-FRI *)",
            "cron(0 6 ? * 2-6 *)",
            "cron(0 6 * * FRI,MON-THU *)",
        ] {
            assert_eq!(
                Cron::parse(expression),
                Some(Cron::new(six, WEEK)),
                "{expression}"
            );
        }
        let late = jiff::civil::time(23, 30, 0, 0);
        let weekend = Cron::new(late, [Saturday, Sunday]);
        assert_eq!(Cron::parse("cron(30 23 ? * SAT-SUN *)"), Some(weekend));
        let daily = Cron::new(six, Monday.cycle_forward().take(7));
        assert_eq!(Cron::parse("cron(0 6 * * ? *)"), Some(daily));
        for expression in [
            "rate(1 day)",
            "cron(0/5 6 ? * MON *)",
            "cron(0 6 1 * ? *)",
            "cron(0 6 ? * MON#1 *)",
            "cron(0 6 ? * MON 2027)",
            "cron(0 25 ? * MON *)",
            "",
        ] {
            assert_eq!(Cron::parse(expression), None, "{expression}");
        }
    }
}
