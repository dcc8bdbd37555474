//! The fake X: several accounts side by side, each with its timeline, its media, its faults and its request log.

mod api;
mod oauth;
mod problem;
mod timeline_page;

use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Fault, Kind,
    server::{Connection, Faults, Server, refuse},
};

/// How to start it: the port and the first account.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port, or 0 for a free one.
    pub port: u16,
    /// The first account's keys.
    pub credentials: Credentials,
    /// The first account's name.
    pub name: String,
    /// The first account's handle, without `@`.
    pub handle: String,
    /// Where the first account's tweets are kept from one start to the next; in memory without it. Each other account
    /// has a folder in it, named after its handle.
    pub directory: Option<PathBuf>,
}

/// An account as X knows it.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The keys that sign the account's requests.
    pub credentials: Credentials,
    /// The name.
    pub name: String,
    /// The handle, without `@`.
    pub handle: String,
}

/// The keys of an app and of one account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The app's key.
    pub api_key: String,
    /// The app's secret.
    pub api_key_secret: String,
    /// The account's token, which begins with the account's number and a hyphen.
    pub access_token: String,
    /// The account's secret.
    pub access_token_secret: String,
}

/// A tweet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tweet {
    /// Its id.
    pub id: String,
    /// Its text, as it was sent.
    pub text: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// The keys of its pictures.
    pub media_keys: Vec<String>,
    /// The alt texts of its pictures.
    pub alt_texts: Vec<String>,
    /// Whether it says that its picture is made by AI.
    pub made_with_ai: bool,
    /// Its pictures.
    #[serde(skip)]
    pub pictures: Vec<Vec<u8>>,
    /// How many reads of the timeline still miss it.
    #[serde(default)]
    pub hidden: u32,
    /// When it was deleted. A deleted tweet is kept, so that a test sees that it was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// A running fake; it ends when this is dropped. Its own methods are those of its first account.
#[derive(Debug)]
pub struct X {
    server: Server,
    site: Arc<Site>,
    first: Account,
}

/// One account of a running fake.
#[derive(Clone, Debug)]
pub struct Account(Arc<AccountState>);

#[derive(Debug)]
struct AccountState {
    profile: Profile,
    directory: Option<PathBuf>,
    faults: Faults,
    data: Mutex<Data>,
}

#[derive(Debug, Default)]
struct Site {
    directory: Option<PathBuf>,
    accounts: Mutex<Vec<Account>>,
    last_id: Mutex<u64>,
}

#[derive(Debug, Default)]
struct Data {
    nonces: HashSet<String>,
    media: BTreeMap<String, Media>,
    tweets: Vec<Tweet>,
    requests: Vec<(String, Value)>,
}

#[derive(Debug)]
struct Media {
    bytes: Vec<u8>,
    alt_text: String,
    uploaded: Timestamp,
}

/// Starts the fake.
pub async fn start(options: Options) -> anyhow::Result<X> {
    let profile = Profile {
        credentials: options.credentials,
        name: options.name,
        handle: options.handle,
    };
    let first = Account::load(profile, options.directory.clone())?;
    let site = Arc::new(Site {
        directory: options.directory,
        accounts: Mutex::new(vec![first.clone()]),
        ..Site::default()
    });
    Ok(X {
        server: Server::start(options.port, api::router(site.clone())).await?,
        site,
        first,
    })
}

impl X {
    /// Its address, which is the address of the first account's timeline as well. That of another account is at
    /// `/{handle}`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Opens another account. It shares nothing with the others but the server.
    pub fn add_account(&self, profile: Profile) -> anyhow::Result<Account> {
        let directory = self.site.directory.as_ref();
        let directory = directory.map(|directory| directory.join(&profile.handle));
        let account = Account::load(profile, directory)?;
        self.site.accounts().push(account.clone());
        Ok(account)
    }

    /// The first account.
    pub fn account(&self) -> &Account {
        &self.first
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.first.clear_faults();
    }

    /// Adds a fault.
    pub fn fail(&self, fault: Fault) {
        self.first.fail(fault);
    }

    /// All tweets, oldest first.
    pub fn tweets(&self) -> Vec<Tweet> {
        self.first.tweets()
    }

    /// The operation and the body or query of all requests with a right signature, in order.
    pub fn requests(&self) -> Vec<(String, Value)> {
        self.first.requests()
    }

    /// The timeline as a page that needs no other file.
    pub fn timeline_html(&self) -> String {
        self.first.timeline_html()
    }
}

impl Account {
    fn load(profile: Profile, directory: Option<PathBuf>) -> anyhow::Result<Account> {
        let mut tweets: Vec<Tweet> = Vec::new();
        if let Some(directory) = &directory {
            std::fs::create_dir_all(directory)?;
            for entry in std::fs::read_dir(directory)? {
                let path = entry?.path();
                if path.extension().is_some_and(|e| e == "json") {
                    let mut tweet: Tweet = serde_json::from_slice(&std::fs::read(&path)?)?;
                    tweet.pictures = vec![std::fs::read(path.with_extension("jpg"))?];
                    tweets.push(tweet);
                }
            }
        }
        tweets.sort_by_key(|tweet| tweet.created_at);
        Ok(Account(Arc::new(AccountState {
            profile,
            directory,
            faults: Faults::default(),
            data: Mutex::new(Data {
                tweets,
                ..Data::default()
            }),
        })))
    }

    fn save(&self, tweet: &Tweet) -> anyhow::Result<()> {
        if let Some(directory) = &self.0.directory {
            let path = directory.join(&tweet.id);
            for picture in &tweet.pictures {
                std::fs::write(path.with_extension("jpg"), picture)?;
            }
            std::fs::write(path.with_extension("json"), serde_json::to_vec(tweet)?)?;
        }
        Ok(())
    }

    fn profile(&self) -> &Profile {
        &self.0.profile
    }

    /// The account's number, with which its access token begins.
    fn user_id(&self) -> &str {
        let token = &self.0.profile.credentials.access_token;
        token.split('-').next().unwrap_or_default()
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.0.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs a request, and fails it if a fault says so. `text` is what a fault's `containing` is looked for in.
    async fn begin(
        &self,
        operation: &str,
        request: Value,
        text: &str,
        connection: &Connection,
    ) -> Result<Option<Kind>, Response> {
        self.data().requests.push((operation.to_owned(), request));
        match self.0.faults.take(operation, text) {
            None => Ok(None),
            Some(kind) => match refuse(kind, connection).await {
                Ok(answer) => Err(answer),
                Err(kind) => Ok(Some(kind)),
            },
        }
    }

    /// Removes all faults of this account.
    pub fn clear_faults(&self) {
        self.0.faults.clear();
    }

    /// Adds a fault to this account only.
    pub fn fail(&self, fault: Fault) {
        self.0.faults.add(fault);
    }

    /// All tweets of this account, oldest first.
    pub fn tweets(&self) -> Vec<Tweet> {
        self.data().tweets.clone()
    }

    /// The operation and the body or query of all requests that this account has signed, in order.
    pub fn requests(&self) -> Vec<(String, Value)> {
        self.data().requests.clone()
    }

    /// The timeline as a page that needs no other file.
    pub fn timeline_html(&self) -> String {
        let tweets = self.tweets();
        timeline_page::page(self.profile(), &tweets).into_string()
    }
}

impl Site {
    fn accounts(&self) -> MutexGuard<'_, Vec<Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn account(&self, is_it: impl Fn(&Profile) -> bool) -> Option<Account> {
        let accounts = self.accounts();
        accounts.iter().find(|one| is_it(one.profile())).cloned()
    }

    /// An id as X makes them: milliseconds since its epoch, then a number.
    fn next_id(&self) -> String {
        let milliseconds = (Timestamp::now().as_millisecond() - 1_288_834_974_657).max(0) as u64;
        let mut last = self.last_id.lock().unwrap_or_else(PoisonError::into_inner);
        *last = (milliseconds << 22).max(*last + 1);
        last.to_string()
    }
}

async fn first_page(State(site): State<Arc<Site>>) -> Response {
    page_of(site.account(|_| true))
}

async fn page(State(site): State<Arc<Site>>, Path(handle): Path<String>) -> Response {
    page_of(site.account(|profile| profile.handle == handle))
}

fn page_of(account: Option<Account>) -> Response {
    match account {
        Some(account) => Html(account.timeline_html()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn add_fault(
    State(site): State<Arc<Site>>,
    Path(handle): Path<String>,
    Json(fault): Json<Fault>,
) -> StatusCode {
    with_account(&site, &handle, |account| account.fail(fault))
}

async fn clear_faults(State(site): State<Arc<Site>>, Path(handle): Path<String>) -> StatusCode {
    with_account(&site, &handle, Account::clear_faults)
}

fn with_account(site: &Site, handle: &str, act: impl FnOnce(&Account)) -> StatusCode {
    match site.account(|profile| profile.handle == handle) {
        Some(account) => {
            act(&account);
            StatusCode::NO_CONTENT
        }
        None => StatusCode::NOT_FOUND,
    }
}
