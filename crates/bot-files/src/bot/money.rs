//! `[money]`: the most that a bot may spend.

use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use crate::toml_reader::{Reader, Section, Value};

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
    /// A dollar a day and ten a month.
    fn default() -> Self {
        Money {
            per_day_micros: 1_000_000,
            per_month_micros: 10_000_000,
        }
    }
}

pub(super) fn read<'a>(reader: &mut Reader<'a>, root: Section<'a>) -> Money {
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
            match micros(value) {
                Some(micros) => *field = micros,
                None => reader.must_be(value, key, "an amount from 0 to 10000, such as 1.50"),
            }
        }
    }
    if money.per_day_micros > money.per_month_micros && !reader.has_problems() {
        reader.problem(
            section.line,
            "`per_day_usd` must be at most `per_month_usd`",
        );
    }
    money
}

/// An amount in US dollars, in millionths of one.
fn micros(value: Value<'_>) -> Option<i64> {
    let usd: f64 = match value.value {
        DeValue::Integer(n) if n.radix() == 10 => n.as_str().parse().ok()?,
        DeValue::Float(n) => n.as_str().parse().ok()?,
        _ => return None,
    };
    (0.0..=10_000.0)
        .contains(&usd)
        .then(|| (usd * 1_000_000.0).round() as i64)
}
