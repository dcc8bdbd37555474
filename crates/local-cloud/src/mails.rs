//! The emails of the local cloud, and the approval page as a browser uses it.

use std::net::{Ipv4Addr, SocketAddr};

use crate::Account;
use anyhow::{Context, ensure};
use reqwest::{StatusCode, Url};

/// The sent emails, each returned once.
pub struct Mails<'a> {
    account: &'a Account,
    seen: usize,
}

/// An email.
pub struct ReceivedMail {
    /// The recipient.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The link to the approval page, if the email has one.
    pub link: Option<String>,
    /// The plain text.
    pub text: String,
}

impl<'a> Mails<'a> {
    /// The emails of an account, from the first on.
    pub fn of(account: &'a Account) -> Mails<'a> {
        Mails { account, seen: 0 }
    }

    /// The emails that were sent since the last call.
    pub async fn new_ones(&mut self) -> anyhow::Result<Vec<ReceivedMail>> {
        let all = self
            .account
            .mails()
            .await
            .context("reading the sent emails")?;
        let new = all.get(self.seen..).unwrap_or_default().iter().map(|mail| {
            let mut words = mail.body_text.split_whitespace();
            ReceivedMail {
                to: mail.to.join(", "),
                subject: mail.subject.clone(),
                link: words
                    .find(|word| word.contains("/review/"))
                    .map(str::to_owned),
                text: mail.body_text.clone(),
            }
        });
        let new = new.collect();
        self.seen = all.len();
        Ok(new)
    }
}

/// Opens the page of a link, and approves the post on it.
pub async fn approve(link: &str) -> anyhow::Result<()> {
    let url: Url = link
        .parse()
        .context("the link in the email is not a valid URL")?;
    let (host, port) = (url.host_str(), url.port_or_known_default());
    let (host, port) = host.zip(port).context("the link has no host")?;
    // Not every system resolves names under localhost.
    let client = lambda_function::https::client_builder()
        .resolve(host, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .build()?;
    let page = client.get(url.clone()).send().await?.error_for_status()?;
    let page = page.text().await?;
    let mut form = vec![("answer", "approve".to_owned())];
    for name in ["content", "form", "caption", "altText"] {
        let value =
            form_field(&page, name).with_context(|| format!("the page has no field {name}"))?;
        form.push((name, value));
    }
    let answer = client.post(url).form(&form).send().await?;
    ensure!(
        answer.status() == StatusCode::SEE_OTHER,
        "the approval page returned {}",
        answer.status()
    );
    Ok(())
}

/// The value of a field of the approval page, with its character references resolved.
pub fn form_field(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("name=\"{name}\""))?;
    let value = if let Some(rest) = rest.strip_prefix(" value=\"") {
        rest.split_once('"')?.0
    } else {
        rest.split_once(">\n")?.1.split_once("</textarea>")?.0
    };
    Some(
        value
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&amp;", "&"),
    )
}
