//! Deleting a tweet.

use fakes::{Fault, Kind};
use jiff::tz::TimeZone;
use lambda_function::read;
use post_tweet::{Delete, Deleted, Error, Request, delete_tweet};
use posts_table::{Ledger, Operator};
use serde_json::json;

use crate::{fixture::Fixture, name};

impl Fixture {
    async fn order(&self) {
        let operator = Operator {
            by: "Ada".to_owned(),
            reason: Some("a typo".to_owned()),
        };
        let table = &self.clients.table;
        let ordered = table.order_deletion(&self.post, &operator, self.at(10));
        assert!(matches!(
            ordered.await.unwrap(),
            posts_table::SlotChange::Made
        ));
    }

    async fn delete(&self, seconds: i64) -> Result<Deleted, Error> {
        let post = self.post.to_string();
        let order = Delete { post };
        delete_tweet(&self.clients, &self.config, self.at(seconds), order).await
    }

    /// What X charged, in millionths of a dollar.
    async fn paid(&self) -> i64 {
        let table = &self.clients.table;
        let date = self.at(20).to_zoned_datetime(TimeZone::UTC).date();
        let month = table.spending(&self.post.bot, date).await;
        month.unwrap().total.x.0
    }

    fn deletes(&self) -> usize {
        let requests = self.x.requests();
        let of = requests.iter().filter(|(name, _)| name == "delete-tweet");
        of.count()
    }
}

#[tokio::test]
async fn a_tweet_is_deleted_on_order_once_and_its_slot_stays_taken() {
    let fixture = Fixture::new().await;
    let id = fixture.enter(0).await.unwrap().id.unwrap();
    let error = fixture.delete(20).await.unwrap_err();
    assert_eq!(name(&error), "NotOrdered");
    assert_eq!(fixture.deletes(), 0);

    fixture.order().await;
    let deleted = fixture.delete(20).await.unwrap();
    assert_eq!(
        (deleted.id.as_str(), deleted.deleted_at),
        (id.as_str(), fixture.at(20))
    );
    assert!(fixture.x.tweets()[0].deleted_at.is_some());
    let record = fixture.record().await;
    assert_eq!(record.ledger, Ledger::Posted);
    assert_eq!(record.deleted_at, Some(fixture.at(20)));
    // Repeated, it returns the same, and X is not called.
    assert_eq!(fixture.delete(30).await.unwrap(), deleted);
    assert_eq!(fixture.deletes(), 1);
    assert_eq!(fixture.paid().await, 10_000);
    // The state machine gets its tweet, and posts no other.
    assert_eq!(fixture.enter(40).await.unwrap().id, Some(id));
    assert_eq!(fixture.x.tweets().len(), 1);
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_repeated_until_it_is_done() {
    let rate = json!({"title": "Too Many Requests", "status": 429});
    let forbidden = json!({"title": "Forbidden", "detail": "You are not authorized to delete this Tweet.", "status": 403});
    for (kind, error) in [
        (Kind::ResetAfter, "ServiceUnavailable"),
        (Kind::AcceptedThenError, "ServiceUnavailable"),
        (Kind::Empty, "ServiceUnavailable"),
        (Kind::ResetBefore, "ServiceUnavailable"),
        (Kind::Html { status: 502 }, "ServiceUnavailable"),
        (
            Kind::Status {
                status: 429,
                body: rate,
            },
            "RateLimited",
        ),
        (
            Kind::Status {
                status: 403,
                body: forbidden,
            },
            "Unauthorized",
        ),
        (
            Kind::Status {
                status: 400,
                body: json!({}),
            },
            "Unexpected",
        ),
        // An answer that denies the deletion.
        (
            Kind::Status {
                status: 200,
                body: json!({"data": {"deleted": false}}),
            },
            "ServiceUnavailable",
        ),
    ] {
        let fixture = Fixture::new().await;
        fixture.enter(0).await.unwrap();
        fixture.order().await;
        fixture.x.fail(Fault::once("delete-tweet", kind.clone()));
        let refused = fixture.delete(20).await.unwrap_err();
        assert_eq!(name(&refused), error, "{kind:?}: {refused}");
        assert_eq!(fixture.record().await.deleted_at, None, "{kind:?}");
        assert_eq!(fixture.paid().await, 0, "{kind:?}");
        fixture.delete(30).await.unwrap();
        assert_eq!(fixture.record().await.deleted_at, Some(fixture.at(30)));
        assert_eq!(fixture.paid().await, 10_000, "{kind:?}");
        assert!(fixture.x.tweets()[0].deleted_at.is_some());
    }
}

#[tokio::test]
async fn what_is_not_posted_is_not_deleted() {
    let fixture = Fixture::new().await;
    let error = fixture.delete(20).await.unwrap_err();
    assert_eq!(name(&error), "InvalidInput");
    for (payload, says) in [
        (json!({"delete": {"post": "x"}}), "write bot/date/slot"),
        (
            json!({"delete": {"post": "other-days/2026-10-30/1"}}),
            "has no run",
        ),
    ] {
        let Ok(Request::Delete(order)) = read::<_, Error>(payload) else {
            panic!("that is a deletion");
        };
        let done = delete_tweet(&fixture.clients, &fixture.config, fixture.at(0), order);
        let error = done.await.unwrap_err();
        assert_eq!(name(&error), "InvalidInput");
        assert!(error.to_string().contains(says), "{error}");
    }
    for payload in [
        json!({"delete": 1}),
        json!({"delete": {"post": "x", "id": "1"}}),
    ] {
        assert_eq!(
            name(&read::<Request, _>(payload).unwrap_err()),
            "InvalidInput"
        );
    }
    assert!(fixture.x.requests().is_empty());
}
