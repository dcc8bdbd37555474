//! Checks a bot and its calendar together.

use std::{collections::BTreeSet, ops::RangeInclusive};

use jiff::{
    SignedDuration, ToSpan,
    civil::{Date, DateTime},
};
use post::{NoStart, start_of_slot};
use post_text::{CaptionProblem, check_caption};

use crate::{Bot, Calendar, Problem, Problems, Slot, Voice};

/// Checks a bot and its calendar together, for these years.
///
/// Every observance must have a caption that X takes, every date of the calendar must have an observance for each
/// slot, and neither a slot's time nor the start of its run may be in the hour that clocks skip.
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
        let observance = &entry.observance;
        let name = Some(observance.name.as_str());
        (name, observance.caption.as_deref(), entry.line)
    });
    let overrides = calendar.overrides.values().flatten().map(|new| {
        let (name, caption) = new.texts();
        (name, caption, new.line.unwrap_or_default())
    });
    for (name, caption, line) in entries.chain(overrides) {
        if let Some(message) = check_texts(bot, name, caption) {
            problems.push(Problem {
                file: calendar.file.clone(),
                line,
                message,
            });
        }
    }
}

/// What is wrong with the texts that an override brings in, with the fix; `None` if X takes them.
pub fn check_texts(bot: &Bot, name: Option<&str>, caption: Option<&str>) -> Option<String> {
    match (name, caption) {
        (_, Some(caption)) => {
            let reason = check_caption(caption).err()?;
            let fix = caption_fix(&reason);
            Some(format!("the caption cannot be posted: {reason}; {fix}"))
        }
        (Some(name), None) => {
            let reason = unpostable(bot, name)?;
            let (file, fix) = (&bot.file, caption_fix(&reason));
            Some(format!(
                "no caption of {file} can be posted for \"{name}\": {reason}; {fix}"
            ))
        }
        (None, None) => None,
    }
}

/// Why no caption of the bot can be posted with this name: the reason of the first one.
fn unpostable(bot: &Bot, name: &str) -> Option<CaptionProblem> {
    let mut first = None;
    for template in &bot.voice.captions {
        match check_caption(&Voice::caption(template, name, &[])) {
            Ok(()) => return None,
            Err(reason) => first.get_or_insert(reason),
        };
    }
    first
}

fn caption_fix(reason: &CaptionProblem) -> &'static str {
    match reason {
        CaptionProblem::Empty => "write one, or remove it",
        CaptionProblem::TooLong { .. } => "shorten it",
        CaptionProblem::Link { .. } => "remove the link, or put a space after the full stop",
        CaptionProblem::Mention { .. } => "remove the mention",
        CaptionProblem::SecondCashtag { .. } => "keep one cashtag",
    }
}

fn check_slots(
    bot: &Bot,
    calendar: &Calendar,
    years: RangeInclusive<i16>,
    problems: &mut Vec<Problem>,
) {
    // One problem a slot, or a slot and date of the year: the rest would be repetitions.
    let mut gaps = BTreeSet::new();
    let mut missing = BTreeSet::new();
    let last = *years.end();
    let dates = Date::new(*years.start(), 1, 1)
        .into_iter()
        .flat_map(|first| first.series(1.day()));
    for date in dates.take_while(|date| date.year() <= last) {
        let mut usable = None;
        for (number, slot) in bot.slots_on(date) {
            if let Some(skipped) = clock_gap(bot, slot, date)
                && gaps.insert(number)
            {
                problems.push(gap_problem(bot, number, slot, skipped));
            }
            let Some(usable) = *usable.get_or_insert_with(|| calendar.usable(date)) else {
                continue;
            };
            let line = calendar.line(date);
            if usable >= number as usize || usable == 0 && line.is_none() {
                continue;
            }
            // Without any observance, the first slot's problem covers the others.
            let number = if usable == 0 { 1 } else { number };
            if missing.insert((number, date.month(), date.day())) {
                let (file, line) = match line {
                    Some(line) => (&calendar.file, line),
                    None => (&bot.file, slot.line),
                };
                problems.push(Problem {
                    file: file.clone(),
                    line,
                    message: format!(
                        "slot {number} has nothing to post on {date} ({usable} usable); add an observance to that date, or its reason for silence to [remembrance], or remove the slot"
                    ),
                });
            }
        }
    }
}

fn gap_problem(bot: &Bot, number: u32, slot: &Slot, skipped: DateTime) -> Problem {
    let (time, date) = (skipped.strftime("%H:%M"), skipped.date());
    Problem {
        file: bot.file.clone(),
        line: slot.line,
        message: format!(
            "slot {number} needs {time} on {date}, which the clocks skip for daylight saving time; choose another time or lead"
        ),
    }
}

/// The slot's time, or the start of its run, if clocks skip it on this date: Scheduler would skip it, too.
fn clock_gap(bot: &Bot, slot: &Slot, date: Date) -> Option<DateTime> {
    let slot_time = date.to_datetime(slot.time);
    [SignedDuration::ZERO, slot.lead]
        .into_iter()
        .find_map(
            |lead| match start_of_slot(slot_time, lead, &bot.time_zone) {
                Err(NoStart::ClockGap(skipped)) => Some(skipped),
                _ => None,
            },
        )
}
