use serde::{Deserialize, Serialize};

/// Why a slot was skipped.
///
/// It is stored as `skipReason` beside `reason`, which is a text for people. Code that decides reads this type.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::IntoStaticStr, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum SkipReason {
    /// The pause flag is set.
    Paused,
    /// `enabled` is false in `bot.toml`.
    Disabled,
    /// An override skips the slot, from the table (`spooky skip`) or from `calendar.toml`.
    Override,
    /// The date is in a blackout.
    Blackout,
    /// The date is a day of remembrance.
    Remembrance,
    /// The calendar has no observance for the slot.
    NoObservance,
    /// The picture could exceed a cap.
    OverBudget,
    /// The post was ready after the slot's lateness limit.
    TooLate,
    /// A reason that a newer version has stored.
    #[serde(other)]
    Other,
}

impl SkipReason {
    /// Its name, as it is stored.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Reads the text of a record or of state data that was written before reasons were typed.
    ///
    /// Nothing else may read a text for its meaning. The texts are those of the last version without types.
    pub fn from_untyped(reason: &str) -> SkipReason {
        const UNTYPED: [(&str, SkipReason); 9] = [
            ("paused", SkipReason::Paused),
            ("switched off: ", SkipReason::Disabled),
            ("skipped: ", SkipReason::Override),
            ("blackout: ", SkipReason::Blackout),
            ("remembrance: ", SkipReason::Remembrance),
            ("no entry for ", SkipReason::NoObservance),
            ("slot ", SkipReason::NoObservance),
            ("over budget: ", SkipReason::OverBudget),
            ("too late: ", SkipReason::TooLate),
        ];
        let known = UNTYPED.iter().find(|(start, _)| reason.starts_with(start));
        known.map_or(SkipReason::Other, |(_, kind)| *kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_printed_as_it_is_stored() {
        for (reason, name) in [
            (SkipReason::Paused, "paused"),
            (SkipReason::NoObservance, "no-observance"),
            (SkipReason::OverBudget, "over-budget"),
            (SkipReason::TooLate, "too-late"),
        ] {
            assert_eq!(reason.name(), name);
            assert_eq!(reason.to_string(), name);
            assert_eq!(serde_json::to_value(reason).unwrap(), name);
            let read: SkipReason = serde_json::from_value(name.into()).unwrap();
            assert_eq!(read, reason);
        }
    }

    #[test]
    fn a_reason_of_a_newer_version_can_be_read() {
        let read: SkipReason = serde_json::from_value("eclipse".into()).unwrap();
        assert_eq!(read, SkipReason::Other);
    }

    #[test]
    fn every_text_that_was_stored_without_a_type_is_understood() {
        for (text, reason) in [
            ("paused", SkipReason::Paused),
            ("paused: holidays", SkipReason::Paused),
            (
                "switched off: enabled is false in bot.toml",
                SkipReason::Disabled,
            ),
            ("skipped: an election", SkipReason::Override),
            ("blackout: a rest", SkipReason::Blackout),
            ("remembrance: Patriot Day", SkipReason::Remembrance),
            ("no entry for 09-12", SkipReason::NoObservance),
            (
                "no entry for 09-12 that is not sensitive",
                SkipReason::NoObservance,
            ),
            (
                "slot 3 of 2026-10-30: the date has 2 days",
                SkipReason::NoObservance,
            ),
            (
                "over budget: a picture may cost $0.07",
                SkipReason::OverBudget,
            ),
            (
                "too late: the slot's time is too long ago",
                SkipReason::TooLate,
            ),
            ("", SkipReason::Other),
            ("the moon", SkipReason::Other),
        ] {
            assert_eq!(SkipReason::from_untyped(text), reason, "{text}");
        }
    }
}
