//! The commands `spooky calendar` and `spooky preview`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The standard output of a command, or the standard error of one that fails.
fn spooky(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_spooky"))
        .args(arguments)
        .env("CARGO_TARGET_DIR", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .unwrap_or_else(|error| panic!("{error}"));
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// A file for a command to read.
fn file(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap_or_else(|error| panic!("{error}"));
    path
}

/// The page whose path a command prints.
fn page(answer: &str) -> String {
    let path = answer.lines().find_map(|line| line.strip_prefix("Page: "));
    let path = path.unwrap_or_else(|| panic!("no page in {answer}"));
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn check_goes_through_every_date_and_counts() {
    let answer = spooky(&["calendar", "check"]).unwrap();
    assert!(
        answer.starts_with("bots/spooky-days is valid from 2024 to 2040.\n"),
        "{answer}"
    );
    for count in ["\nJanuary ", "\nDecember ", "\nmoving ", "\n6210 dates: "] {
        assert!(answer.contains(count), "{answer}");
    }
    assert!(answer.contains(" 0 with one, 0 without, "), "{answer}");
}

#[test]
fn preview_lists_what_will_be_posted_and_where_it_comes_from() {
    let answer = spooky(&["calendar", "preview", "--from", "2026-11-10", "--days", "5"]).unwrap();
    let lines: Vec<String> = answer
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    // A header, and four dates: a Saturday has no slot.
    assert_eq!(lines.len(), 5, "{answer}");
    for (line, start) in lines.iter().zip([
        "DATE SLOT OBSERVANCE FROM",
        "2026-11-10 Tue 1 National Vanilla Cupcake Day 11-10 on line ",
        "2026-11-11 Wed 1 – remembrance: Veterans Day",
        "2026-11-12 Thu 1 ",
        "2026-11-13 Fri 1 Friday the 13th friday the 13th on line ",
    ]) {
        assert!(line.starts_with(start), "{start} in {answer}");
    }
    assert_eq!(
        spooky(&["calendar", "preview", "--from", "2026-11-14", "--days", "2"]).unwrap(),
        "No slot is due on these dates.\n"
    );
}

#[test]
fn the_coming_year_has_no_gaps() {
    let answer = spooky(&["calendar", "gaps"]).unwrap();
    assert_eq!(answer.lines().count(), 1, "{answer}");
    assert!(
        answer
            .trim()
            .ends_with(" intentionally silent slots, 0 gaps."),
        "{answer}"
    );
}

#[test]
fn import_writes_a_calendar_or_names_file_line_and_fix() {
    let old = file("old.json", "{\"january\": {\n\"1\": [\"New Year's Day\"]}}");
    let answer = spooky(&["calendar", "import", &old.display().to_string()]).unwrap();
    assert!(
        answer.ends_with("[days]\n01-01 = [\n  { name = \"New Year's Day\" },\n]\n"),
        "{answer}"
    );
    let broken = file(
        "broken.json",
        "{\"january\": {\n\"32\": [\"Old Year's Day\"]}}",
    );
    let broken = broken.display().to_string();
    assert_eq!(
        spooky(&["calendar", "import", &broken]).unwrap_err(),
        format!(
            "error: {broken}:2: 01-32 is not a date of any year; January has at most 31 days\n"
        )
    );
}

#[test]
fn the_page_of_a_post_shows_picture_caption_length_and_alt_text() {
    let answer = spooky(&["preview", "--date", "2026-12-24"]).unwrap();
    let page = page(&answer);
    for part in [
        "<h1>spooky-days/2026-12-24/1</h1>",
        "src=\"data:image/jpeg;base64,",
        " of 280</span>",
        "National Eggnog Day",
        "A punch bowl of eggnog",
        "No words, letters",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let silent = spooky(&["preview", "--date", "2026-12-07"]).unwrap_err();
    assert_eq!(
        silent,
        "error: nothing will be posted for spooky-days/2026-12-07/1: remembrance: Pearl Harbor Remembrance Day\n"
    );
}

#[test]
fn the_page_of_a_month_has_every_date_and_the_reason_where_nothing_is_posted() {
    let answer = spooky(&["preview", "--month", "2028-02"]).unwrap();
    assert!(answer.starts_with("2028-02: 21 posts\n"), "{answer}");
    let page = page(&answer);
    assert_eq!(page.matches("<article").count(), 29);
    assert_eq!(page.matches("<img").count(), 21);
    assert_eq!(page.matches("No slot").count(), 8);
    for part in [
        "spooky-days, February 2028",
        "Tue 29",
        "Leap Day",
        "Valentine's Day",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let answer = spooky(&["preview", "--month", "2027-05"]).unwrap();
    let silent = self::page(&answer);
    assert!(silent.contains("remembrance: Memorial Day"), "{silent}");
    let error = spooky(&["preview", "--month", "2027-13"]).unwrap_err();
    assert!(
        error.contains("write year and month, like 2026-10"),
        "{error}"
    );
}
