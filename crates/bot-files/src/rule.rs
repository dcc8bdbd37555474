//! Rules for dates: `10-31`, `first friday of june`, `friday the 13th`, `easter + 1`.

use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};

use crate::toml_reader::nearest;

/// A rule for a date of each year: a base, moved by some days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    base: Base,
    offset: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Base {
    Fixed {
        month: i8,
        day: i8,
    },
    /// `nth` is 1 to 5, or -1 for the last one.
    Nth {
        nth: i8,
        weekday: Weekday,
        month: i8,
    },
    /// `friday the 13th`, of one month or of any.
    Falling {
        weekday: Weekday,
        day: i8,
        month: Option<i8>,
    },
    Easter,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// The longest each month gets.
const LONGEST: [i8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const NTHS: [&str; 6] = ["first", "second", "third", "fourth", "fifth", "last"];
const FORMS: &str = "use a form such as 10-31, first friday of june, last thursday of november, friday the 13th, easter + 1 or thanksgiving + 1";

/// Days that others are counted from.
const ANCHORS: [(&str, Base); 8] = [
    ("easter", Base::Easter),
    (
        "thanksgiving",
        Base::Nth {
            nth: 4,
            weekday: Weekday::Thursday,
            month: 11,
        },
    ),
    (
        "labor day",
        Base::Nth {
            nth: 1,
            weekday: Weekday::Monday,
            month: 9,
        },
    ),
    (
        "memorial day",
        Base::Nth {
            nth: -1,
            weekday: Weekday::Monday,
            month: 5,
        },
    ),
    (
        "mother's day",
        Base::Nth {
            nth: 2,
            weekday: Weekday::Sunday,
            month: 5,
        },
    ),
    (
        "father's day",
        Base::Nth {
            nth: 3,
            weekday: Weekday::Sunday,
            month: 6,
        },
    ),
    (
        "super bowl",
        Base::Nth {
            nth: 2,
            weekday: Weekday::Sunday,
            month: 2,
        },
    ),
    (
        "daylight saving time",
        Base::Nth {
            nth: 2,
            weekday: Weekday::Sunday,
            month: 3,
        },
    ),
];

impl Rule {
    pub(crate) fn parse(text: &str) -> Result<Rule, String> {
        let words = text.to_lowercase();
        let words: Vec<&str> = words.split_whitespace().collect();
        let (base, offset) = match words.as_slice() {
            [base @ .., sign @ ("+" | "-"), days]
            | [base @ .., sign @ ("+" | "-"), days, "day" | "days"] => {
                let days: i32 = days
                    .parse()
                    .ok()
                    .filter(|days| (1..=200).contains(days))
                    .ok_or_else(|| {
                        format!("\"{text}\" must move the date by 1 to 200 days (got {days})")
                    })?;
                (base, if *sign == "-" { -days } else { days })
            }
            base => (base, 0),
        };
        Ok(Rule {
            base: parse_base(text, base)?,
            offset,
        })
    }

    /// The month and day, if they are the same every year.
    pub(crate) fn fixed(&self) -> Option<(i8, i8)> {
        match self.base {
            Base::Fixed { month, day } if self.offset == 0 => Some((month, day)),
            _ => None,
        }
    }

    pub(crate) fn matches(&self, date: Date) -> bool {
        // Counting back from the date also works across the turn of the year.
        let Ok(date) = date.checked_sub(self.offset.days()) else {
            return false;
        };
        match self.base {
            Base::Fixed { month, day } => (date.month(), date.day()) == (month, day),
            Base::Nth {
                nth,
                weekday,
                month,
            } => {
                date.month() == month
                    && date.weekday() == weekday
                    && if nth > 0 {
                        (date.day() + 6) / 7 == nth
                    } else {
                        date.day() + 7 > date.days_in_month()
                    }
            }
            Base::Falling {
                weekday,
                day,
                month,
            } => {
                date.day() == day
                    && date.weekday() == weekday
                    && month.is_none_or(|month| date.month() == month)
            }
            Base::Easter => easter(date.year()) == Some(date),
        }
    }
}

fn parse_base(text: &str, words: &[&str]) -> Result<Base, String> {
    if let Some((_, base)) = ANCHORS.iter().find(|(name, _)| *name == words.join(" ")) {
        return Ok(base.clone());
    }
    match words {
        [date] if date.contains('-') => {
            let (month, day) = date
                .split_once('-')
                .filter(|(month, day)| month.len() == 2 && day.len() == 2)
                .and_then(|(month, day)| Some((month.parse().ok()?, day.parse().ok()?)))
                .ok_or_else(|| {
                    format!("\"{text}\" is not a valid date; write month and day with two digits each, such as 10-31")
                })?;
            if !(1..=12).contains(&month) {
                return Err(format!(
                    "{text} is not a date of any year; write the month first, 01 to 12, such as 10-31"
                ));
            }
            ensure_day(text, month, day)?;
            Ok(Base::Fixed { month, day })
        }
        [nth, weekday, "of", month] => {
            let nth = index("a week of the month", nth, &NTHS)?;
            Ok(Base::Nth {
                nth: if nth == 5 { -1 } else { nth as i8 + 1 },
                weekday: parse_weekday(weekday)?,
                month: parse_month(month)?,
            })
        }
        [weekday, "the", day, month @ ..] => {
            let weekday = parse_weekday(weekday)?;
            let month = match month {
                [] => None,
                ["of", month] => Some(parse_month(month)?),
                _ => return Err(format!("\"{text}\" is not a valid date; {FORMS}")),
            };
            let day = ["st", "nd", "rd", "th"]
                .iter()
                .find_map(|ending| day.strip_suffix(ending))
                .and_then(|day| day.parse().ok())
                .ok_or_else(|| {
                    format!("\"{day}\" is not a day of the month; write it as in 13th")
                })?;
            ensure_day(text, month.unwrap_or(1), day)?;
            Ok(Base::Falling {
                weekday,
                day,
                month,
            })
        }
        _ => {
            let fix = match nearest(&words.join(" "), ANCHORS.iter().map(|(name, _)| *name)) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => FORMS.to_owned(),
            };
            Err(format!("\"{text}\" is not a valid date; {fix}"))
        }
    }
}

/// Rejects a day that its month never has.
fn ensure_day(text: &str, month: i8, day: i8) -> Result<(), String> {
    let index = usize::try_from(month - 1).unwrap_or_default();
    let longest = LONGEST[index];
    if (1..=longest).contains(&day) {
        return Ok(());
    }
    let mut name = MONTHS[index].to_owned();
    name[..1].make_ascii_uppercase();
    Err(format!(
        "{text} is not a date of any year; {name} has at most {longest} days"
    ))
}

pub(crate) fn parse_weekday(word: &str) -> Result<Weekday, String> {
    const WEEKDAYS: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let word = word.to_lowercase();
    let full = WEEKDAYS
        .into_iter()
        .find(|day| word.len() == 3 && day.starts_with(&word))
        .unwrap_or(&word);
    index("a weekday", full, &WEEKDAYS).map(|i| Weekday::Monday.wrapping_add(i as i64))
}

pub(crate) fn parse_month(word: &str) -> Result<i8, String> {
    index("a month", word, &MONTHS).map(|i| i as i8 + 1)
}

fn index(kind: &str, word: &str, known: &[&str]) -> Result<usize, String> {
    known.iter().position(|k| *k == word).ok_or_else(|| {
        let fix = match nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("use one of {}", known.join(", ")),
        };
        format!("\"{word}\" is not {kind}; {fix}")
    })
}

/// Western Easter Sunday, by the anonymous Gregorian computus.
fn easter(year: i16) -> Option<Date> {
    let y = i32::from(year);
    let (a, b, c) = (y % 19, y / 100, y % 100);
    let h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
    let l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    Date::new(
        year,
        i8::try_from(n / 31).ok()?,
        i8::try_from(n % 31 + 1).ok()?,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn dates(rule: &str, year: i16) -> Vec<String> {
        let rule = Rule::parse(rule).unwrap();
        date(year, 1, 1)
            .series(1.day())
            .take_while(|d| d.year() == year)
            .filter(|d| rule.matches(*d))
            .map(|d| d.strftime("%m-%d").to_string())
            .collect()
    }

    #[test]
    fn rules_fall_on_the_dates_of_the_almanac() {
        for (rule, year, expected) in [
            ("10-31", 2026, vec!["10-31"]),
            ("02-29", 2026, vec![]),
            ("02-29", 2028, vec!["02-29"]),
            ("first friday of june", 2026, vec!["06-05"]),
            ("Last Thursday of November", 2024, vec!["11-28"]),
            ("last thursday of november", 2023, vec!["11-30"]),
            ("fifth monday of november", 2026, vec!["11-30"]),
            ("fifth monday of november", 2027, vec!["11-29"]),
            ("fifth friday of november", 2026, vec![]),
            ("friday the 13th", 2026, vec!["02-13", "03-13", "11-13"]),
            ("friday the 13th", 2025, vec!["06-13"]),
            ("friday the 13th of november", 2026, vec!["11-13"]),
            ("easter", 2024, vec!["03-31"]),
            ("easter", 2026, vec!["04-05"]),
            ("easter", 2038, vec!["04-25"]),
            ("easter - 47", 2026, vec!["02-17"]),
            ("easter + 1 day", 2026, vec!["04-06"]),
            ("thanksgiving", 2026, vec!["11-26"]),
            ("thanksgiving + 1", 2028, vec!["11-24"]),
            ("thanksgiving + 5 days", 2029, vec!["11-27"]),
            ("labor day - 2", 2026, vec!["09-05"]),
            ("mother's day", 2026, vec!["05-10"]),
            ("12-31 + 1", 2026, vec!["01-01"]),
            ("third monday of january", 2026, vec!["01-19"]),
        ] {
            assert_eq!(dates(rule, year), expected, "{rule} in {year}");
        }
    }

    proptest! {
        #[test]
        fn an_nth_weekday_comes_once_a_year_except_the_fifth(nth in 0usize..6, weekday in 0i64..7, month in 1i8..=12, year in 2024i16..=2040) {
            let weekday = Weekday::Monday.wrapping_add(weekday);
            let rule = format!("{} {:?} of {}", NTHS[nth], weekday, MONTHS[month as usize - 1]);
            let found = dates(&rule, year);
            let expected = date(year, month, 1).nth_weekday_of_month(if nth == 5 { -1 } else { nth as i8 + 1 }, weekday);
            prop_assert_eq!(found, expected.ok().map(|d| d.strftime("%m-%d").to_string()).into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn an_offset_moves_every_date_by_as_many_days(offset in 1i32..=200, year in 2024i16..=2040) {
            let moved = Rule::parse(&format!("easter + {offset}")).unwrap();
            prop_assert!(moved.matches(easter(year).unwrap() + offset.days()));
            prop_assert_eq!(easter(year).unwrap().weekday(), Weekday::Sunday);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            let _ = Rule::parse(&text);
        }
    }
}
