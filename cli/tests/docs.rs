//! Every command that the documents tell a person to type is one that can be typed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{CommandFactory, error::ErrorKind};
use spooky::Cli;

/// All Markdown of the repository.
fn documents() -> Vec<PathBuf> {
    let mut documents = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{error}")) {
            let entry = entry.unwrap_or_else(|error| panic!("{error}"));
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && name != "node_modules" && name != ".git" {
                folders.push(path);
            } else if name.ends_with(".md") {
                documents.push(path);
            }
        }
    }
    documents
}

/// What stands in a document as code: the lines of its blocks, and what is between backticks elsewhere.
fn code(text: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    for (number, part) in text.split("```").enumerate() {
        if number % 2 == 1 {
            // The first line is the language of the block.
            found.extend(part.lines().skip(1).map(|line| (line, true)));
        } else {
            found.extend(part.split('`').skip(1).step_by(2).map(|code| (code, false)));
        }
    }
    found
}

/// What is typed after `spooky`, if that is what a piece of code begins with.
fn arguments(code: &str) -> Option<Vec<String>> {
    let code = code.trim().trim_start_matches("$ ");
    let code = match code.strip_prefix("cargo run ") {
        Some(rest) => rest.split_once("-- ")?.1,
        None => code.strip_prefix("spooky ")?,
    };
    let code = code.split(['#', '|', '>', ';', '&']).next()?;
    let words = shlex::split(code).unwrap_or_else(|| panic!("not a command line: {code}"));
    let words = words.into_iter().map(|word| match word.as_str() {
        "POST" | "WHAT" => "spooky-days/2026-10-30/1".to_owned(),
        tweet if tweet.starts_with("https://x.com/") => {
            "https://x.com/i/status/1900544781383569409".to_owned()
        }
        _ => word,
    });
    Some(words.collect())
}

/// Parses a command line. Where a person types it, `USER` is set, which is what `--by` is without it.
fn parse(arguments: &[String]) -> Result<(), clap::Error> {
    let typed = |more: &[&str]| {
        let words = ["spooky"]
            .into_iter()
            .chain(arguments.iter().map(String::as_str));
        let words: Vec<&str> = words.chain(more.iter().copied()).collect();
        Cli::command().try_get_matches_from(words).map(drop)
    };
    typed(&[]).or_else(|error| typed(&["--by", "someone"]).map_err(|_| error))
}

#[test]
fn every_command_in_the_documents_can_be_typed() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    // What the README says is missing may be told of already.
    let missing = readme
        .split("\n## ")
        .find(|section| section.starts_with("What is not there yet"));
    let missing = missing.unwrap_or_default();
    let mut commands = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for (code, in_block) in code(&text) {
            // "COMMAND" stands for any of them.
            let Some(arguments) = arguments(code).filter(|words| words[0] != "COMMAND") else {
                continue;
            };
            if missing.contains(&format!("`{}`", arguments[0])) {
                continue;
            }
            commands += 1;
            if let Err(error) = parse(&arguments) {
                // Within a sentence a command is named, not typed, and "…" stands for what is left open.
                let named = match error.kind() {
                    ErrorKind::MissingRequiredArgument
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => !in_block,
                    ErrorKind::InvalidValue => {
                        !in_block && arguments.last().is_some_and(|last| last.starts_with("--"))
                    }
                    ErrorKind::ValueValidation => !in_block && code.contains('…'),
                    _ => false,
                };
                assert!(named, "{}: `{code}`\n{error}", document.display());
            }
        }
    }
    assert!(commands > 50, "only {commands} commands were found");
}
