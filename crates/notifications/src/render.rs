//! The mail of a notification, as text and as HTML.

use maud::{DOCTYPE, Markup, html};

use crate::{Notification, Step, mail::Mail, text::line};

impl Notification {
    /// The mail.
    pub fn mail(&self) -> Mail {
        let subject = line(&self.subject).replace('`', "");
        Mail {
            html: self.html(&subject).into_string(),
            text: self.text(),
            subject,
        }
    }

    fn footer(&self) -> String {
        let kind = self.kind.name();
        format!("This is a \"{kind}\" notification. See docs/runbook.md#{kind}.")
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n", self.what);
        for (name, value) in &self.facts {
            text.push_str(&format!("\n{name}: {value}"));
        }
        if !self.todo.is_empty() {
            text.push_str("\n\nWhat to do:\n");
        }
        for step in &self.todo {
            text.push_str(&format!("\n- {}", step.what));
            if let Some(with) = &step.with {
                text.push_str(&format!(":\n    {with}"));
            }
        }
        text.push_str(&format!("\n\n{}\n", self.footer()));
        text
    }

    fn html(&self, subject: &str) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (subject) }
                }
                body style="margin:0;padding:16px;font-family:Helvetica,Arial,sans-serif;font-size:16px;line-height:1.5" {
                    div style="max-width:640px;margin:0 auto" {
                        p style="margin:0 0 16px;font-size:18px" { (inline(&self.what)) }
                        (self.facts_table())
                        @if !self.todo.is_empty() {
                            p style="margin:0;font-weight:bold" { "What to do" }
                            ul style="margin:8px 0 16px;padding-left:20px" {
                                @for step in &self.todo { (step_item(step)) }
                            }
                        }
                        p style="margin:0;font-size:13px;opacity:0.7" { (self.footer()) }
                    }
                }
            }
        }
    }

    fn facts_table(&self) -> Markup {
        html! {
            table role="presentation" style="border-collapse:collapse;margin:0 0 16px" {
                @for (name, value) in &self.facts {
                    tr {
                        td style="padding:4px 12px 4px 0;vertical-align:top;opacity:0.7" { (name) }
                        td style="padding:4px 0;overflow-wrap:anywhere" { (value) }
                    }
                }
            }
        }
    }
}

fn step_item(step: &Step) -> Markup {
    html! {
        li style="margin:0 0 8px" {
            (inline(&step.what))
            @match &step.with {
                Some(address) if address.starts_with("https://") => {
                    ":" br; a href=(address) style="overflow-wrap:anywhere" { (address) }
                }
                Some(command) => { ":" br; code style="overflow-wrap:anywhere" { (command) } }
                None => {}
            }
        }
    }
}

/// A text whose parts in backticks are code.
fn inline(text: &str) -> Markup {
    // An odd number of backticks is a text of another service, not ours.
    let is_ours = text.matches('`').count().is_multiple_of(2);
    let parts: Vec<&str> = match is_ours {
        true => text.split('`').collect(),
        false => vec![text],
    };
    html! {
        @for (number, part) in parts.into_iter().enumerate() {
            @if number % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}
