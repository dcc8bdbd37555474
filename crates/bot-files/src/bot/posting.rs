//! `[posting]`: how posting behaves.

use jiff::SignedDuration;

use super::values;
use crate::toml_reader::{Reader, Section};

/// How posting behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// A scheduled post is not posted later than its slot's time plus this.
    pub late_after: SignedDuration,
}

pub(super) fn read<'a>(reader: &mut Reader<'a>, root: Section<'a>) -> Posting {
    let section = reader
        .get(root, "posting")
        .and_then(|value| reader.section(value, "[posting]", &["late_after"]));
    let late_after = section.and_then(|section| reader.get(section, "late_after"));
    let late_after = late_after
        .and_then(|value| values::duration(reader, value, "late_after", SignedDuration::ZERO));
    Posting {
        late_after: late_after.unwrap_or(SignedDuration::from_hours(6)),
    }
}
