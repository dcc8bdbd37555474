use std::{collections::BTreeSet, ops::RangeInclusive};

use jiff::{
    ToSpan,
    civil::{Date, Time},
    tz::AmbiguousOffset,
};
use post_text::{CaptionProblem, check_caption};

use crate::{Bot, Calendar, Problem, Problems, Slot, Voice};

/// Checks a bot and its calendar together, for these years.
///
/// Every day must have a caption that X takes, every date of the calendar must have a day for each slot,
/// and no slot may lie in the hour that daylight saving time leaves out.
pub fn check(bot: &Bot, calendar: &Calendar, years: RangeInclusive<i16>) -> Result<(), Problems> {
    let mut problems = Vec::new();
    check_captions(bot, calendar, &mut problems);
    check_slots(bot, calendar, years, &mut problems);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Problems(problems))
    }
}

fn check_captions(bot: &Bot, calendar: &Calendar, problems: &mut Vec<Problem>) {
    let entries = calendar.entries.iter().filter(|entry| !entry.sensitive);
    let entries = entries.map(|entry| {
        (
            Some(entry.day.name.as_str()),
            entry.day.caption.as_deref(),
            entry.line,
        )
    });
    let overrides = calendar.overrides.values().flatten().map(|over| {
        let (name, caption) = over.texts();
        (name, caption, over.line.unwrap_or_default())
    });
    for (name, caption, line) in entries.chain(overrides) {
        let mut problem = |what, fix: &str| {
            problems.push(Problem {
                file: calendar.file.clone(),
                line,
                what,
                fix: fix.to_owned(),
            });
        };
        if let Some((what, fix)) = unpostable(bot, name, caption) {
            problem(what, fix);
        }
    }
}

/// What is wrong with the texts that an override brings in, with the fix; `None` if X takes them.
pub fn check_texts(bot: &Bot, name: Option<&str>, caption: Option<&str>) -> Option<String> {
    unpostable(bot, name, caption).map(|(what, fix)| format!("{what}; {fix}"))
}

fn unpostable(
    bot: &Bot,
    name: Option<&str>,
    caption: Option<&str>,
) -> Option<(String, &'static str)> {
    match (name, caption) {
        (_, Some(caption)) => check_caption(caption).err().map(|reason| {
            let fix = caption_fix(&reason);
            (format!("the caption cannot be posted: {reason}"), fix)
        }),
        (Some(name), None) => {
            let mut first_reason = None;
            let fits = bot.voice.captions.iter().any(|template| {
                let checked = check_caption(&Voice::caption(template, name, &[]));
                checked
                    .map_err(|reason| first_reason.get_or_insert(reason).clone())
                    .is_ok()
            });
            match (fits, first_reason) {
                (false, Some(reason)) => {
                    let fix = caption_fix(&reason);
                    let what = format!(
                        "no caption of {} can be posted for \"{name}\": {reason}",
                        bot.file
                    );
                    Some((what, fix))
                }
                _ => None,
            }
        }
        (None, None) => None,
    }
}

fn caption_fix(reason: &CaptionProblem) -> &'static str {
    match reason {
        CaptionProblem::Empty => "write one, or remove it",
        CaptionProblem::TooLong { .. } => "shorten it",
        CaptionProblem::Link { .. } => "take the link out, or put a space after the full stop",
        CaptionProblem::Mention { .. } => "take the mention out",
        CaptionProblem::SecondCashtag { .. } => "keep one cashtag",
    }
}

fn check_slots(
    bot: &Bot,
    calendar: &Calendar,
    years: RangeInclusive<i16>,
    problems: &mut Vec<Problem>,
) {
    // One problem a slot, or a slot and date of the year: the rest would say the same.
    let mut gaps = BTreeSet::new();
    let mut missing = BTreeSet::new();
    let last = *years.end();
    let dates = Date::new(*years.start(), 1, 1)
        .into_iter()
        .flat_map(|first| first.series(1.day()));
    for date in dates.take_while(|date| date.year() <= last) {
        let mut days = None;
        for (number, slot) in (1usize..).zip(&bot.slots) {
            if !slot.weekdays.contains(&date.weekday()) {
                continue;
            }
            if let Some(time) = in_gap(bot, slot, date)
                && gaps.insert(number)
            {
                problems.push(Problem {
                    file: bot.file.clone(),
                    line: slot.line,
                    what: format!(
                        "slot {number} has to do with {} on {date}, a time that daylight saving time leaves out",
                        time.strftime("%H:%M")
                    ),
                    fix: "choose a time, or a lead, outside the hour when the clocks go forward".to_owned(),
                });
            }
            let Some(usable) = *days.get_or_insert_with(|| calendar.usable(date)) else {
                continue;
            };
            let first_line = calendar.line(date);
            if usable >= number || usable == 0 && first_line.is_none() {
                continue;
            }
            // Without any day, the first slot speaks for the others.
            let number = if usable == 0 { 1 } else { number };
            if missing.insert((number, date.month(), date.day())) {
                let (file, line) = match first_line {
                    Some(line) => (&calendar.file, line),
                    None => (&bot.file, slot.line),
                };
                problems.push(Problem {
                    file: file.clone(),
                    line,
                    what: format!("slot {number} has nothing to post on {date}, which has {usable} usable"),
                    fix: "add a day to that date, or its reason for silence to [remembrance], or drop the slot".to_owned(),
                });
            }
        }
    }
}

/// The slot's time, or the start of its run, if the clocks skip it on this date: the scheduler would skip it too.
fn in_gap(bot: &Bot, slot: &Slot, date: Date) -> Option<Time> {
    let start = slot.time.checked_sub(slot.lead).ok();
    [Some(slot.time), start].into_iter().flatten().find(|time| {
        let ambiguous = bot
            .time_zone
            .to_ambiguous_timestamp(date.to_datetime(*time));
        matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. })
    })
}
