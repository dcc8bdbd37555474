//! The requests that all kinds of items share.

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        transact_write_items::TransactWriteItemsError,
        update_item::builders::UpdateItemFluentBuilder,
    },
    types::{
        AttributeValue, CancellationReason, ConditionCheck, Delete, Put, ReturnValue,
        TransactWriteItem, Update,
        builders::{ConditionCheckBuilder, DeleteBuilder, PutBuilder, UpdateBuilder},
    },
};
use lambda_function::aws_error;
use post::PostId;

use crate::{
    Error,
    item::{Item, record_key, text},
};

/// How often a transaction is repeated because of another one on the same item.
const ATTEMPTS: u32 = 5;

/// The table.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: String,
}

/// How one attempt of a transaction ended.
pub(crate) enum Attempted {
    /// All of it is written.
    Written,
    /// Nothing is written, because a condition does not hold.
    Refused(Refusal),
    /// Nothing is written, because another transaction changed one of the items at the same time.
    Conflict,
}

/// Which conditions of a transaction do not hold.
pub(crate) struct Refusal(Vec<CancellationReason>);

impl Refusal {
    /// Whether the condition at this place of the transaction does not hold.
    pub(crate) fn is_of(&self, place: usize) -> bool {
        self.0.get(place).is_some_and(is_condition)
    }

    /// The item at this place, if its condition asked for it.
    pub(crate) fn item(&self, place: usize) -> Option<Item> {
        self.0.get(place).and_then(|reason| reason.item.clone())
    }

    /// The first item of a condition that asked for it.
    pub(crate) fn first_item(&self) -> Option<Item> {
        self.0.iter().find_map(|reason| reason.item.clone())
    }
}

fn is_condition(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

impl Table {
    /// A table by its name.
    pub fn new(client: Client, name: impl Into<String>) -> Table {
        Table {
            client,
            name: name.into(),
        }
    }

    /// Reads an item consistently.
    pub(crate) async fn get(&self, doing: &'static str, key: Item) -> Result<Option<Item>, Error> {
        let response = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| failed(doing, e))?;
        Ok(response.item)
    }

    /// Reads the items of a partition whose sort keys begin with a prefix, consistently and in the order of those keys.
    pub(crate) async fn query(
        &self,
        doing: &'static str,
        partition: String,
        prefix: &str,
    ) -> Result<Vec<Item>, Error> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(partition))
            .expression_attribute_values(":prefix", text(prefix))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.map_err(|e| failed(doing, e))?);
        }
        Ok(items)
    }

    /// Writes an item, whatever is there.
    pub(crate) async fn put(&self, doing: &'static str, item: Item) -> Result<(), Error> {
        self.client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .send()
            .await
            .map_err(|e| failed(doing, e))?;
        Ok(())
    }

    /// Deletes an item, if there is one.
    pub(crate) async fn delete(&self, doing: &'static str, key: Item) -> Result<(), Error> {
        self.client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(key))
            .send()
            .await
            .map_err(|e| failed(doing, e))?;
        Ok(())
    }

    /// Deletes an item if it belongs to this lease.
    pub(crate) async fn delete_of_lease(
        &self,
        doing: &'static str,
        key: Item,
        lease_id: &str,
    ) -> Result<(), Error> {
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(key))
            .condition_expression("leaseId = :lease")
            .expression_attribute_values(":lease", text(lease_id))
            .send()
            .await;
        unless_refused(doing, deleted)?;
        Ok(())
    }

    /// Updates an item on a condition; false if the condition does not hold.
    pub(crate) async fn update<const N: usize>(
        &self,
        doing: &'static str,
        key: Item,
        expression: &str,
        condition: &str,
        values: [(&str, AttributeValue); N],
    ) -> Result<bool, Error> {
        let request = self.updating(key, expression, condition, values);
        Ok(unless_refused(doing, request.send().await)?.is_some())
    }

    /// As [`Table::update`], and returns the item; `None` if the condition does not hold.
    pub(crate) async fn update_and_read<const N: usize>(
        &self,
        doing: &'static str,
        key: Item,
        expression: &str,
        condition: &str,
        values: [(&str, AttributeValue); N],
    ) -> Result<Option<Item>, Error> {
        let request = self
            .updating(key, expression, condition, values)
            .return_values(ReturnValue::AllNew);
        let updated = unless_refused(doing, request.send().await)?;
        Ok(updated.and_then(|response| response.attributes))
    }

    fn updating<const N: usize>(
        &self,
        key: Item,
        expression: &str,
        condition: &str,
        values: [(&str, AttributeValue); N],
    ) -> UpdateItemFluentBuilder {
        let mut request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key))
            .update_expression(expression)
            .condition_expression(condition);
        for (name, attribute) in reserved_names(&[expression, condition]) {
            request = request.expression_attribute_names(name, attribute);
        }
        for (name, value) in values {
            request = request.expression_attribute_values(name, value);
        }
        request
    }

    /// Updates the record of a slot on a condition; false if the condition does not hold.
    pub(crate) async fn update_record<const N: usize>(
        &self,
        doing: &'static str,
        post: &PostId,
        expression: &str,
        condition: &str,
        values: [(&str, AttributeValue); N],
    ) -> Result<bool, Error> {
        let key = record_key(post);
        self.update(doing, key, expression, condition, values).await
    }

    /// Writes all or nothing, and repeats what another transaction has hindered; `None` if all of it is written.
    pub(crate) async fn transact(
        &self,
        doing: &'static str,
        items: Vec<TransactWriteItem>,
    ) -> Result<Option<Refusal>, Error> {
        self.transact_repeatedly(doing, ATTEMPTS, items).await
    }

    /// As [`Table::transact`], with this many attempts.
    pub(crate) async fn transact_repeatedly(
        &self,
        doing: &'static str,
        attempts: u32,
        items: Vec<TransactWriteItem>,
    ) -> Result<Option<Refusal>, Error> {
        for _ in 0..attempts {
            match self.transact_once(doing, items.clone()).await? {
                Attempted::Written => return Ok(None),
                Attempted::Refused(refusal) => return Ok(Some(refusal)),
                Attempted::Conflict => {}
            }
        }
        Err(Error::Conflict(doing))
    }

    /// Attempts once to write all or nothing.
    pub(crate) async fn transact_once(
        &self,
        doing: &'static str,
        items: Vec<TransactWriteItem>,
    ) -> Result<Attempted, Error> {
        let written = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .send()
            .await;
        let Err(error) = written else {
            return Ok(Attempted::Written);
        };
        let reasons = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                cancelled.cancellation_reasons().to_vec()
            }
            _ => return Err(failed(doing, error)),
        };
        let is_conflict =
            |reason: &CancellationReason| reason.code() == Some("TransactionConflict");
        if reasons.iter().any(is_condition) {
            Ok(Attempted::Refused(Refusal(reasons)))
        } else if reasons.iter().any(is_conflict) {
            Ok(Attempted::Conflict)
        } else {
            Err(failed(doing, error))
        }
    }

    /// A put as a part of a transaction.
    pub(crate) fn put_in(
        &self,
        doing: &'static str,
        put: PutBuilder,
    ) -> Result<TransactWriteItem, Error> {
        let put = put.table_name(&self.name).build();
        let put = put.map_err(|e| Error::IncompleteRequest(doing, e))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// An unconditional put as a part of a transaction.
    pub(crate) fn put_item_in(
        &self,
        doing: &'static str,
        item: Item,
    ) -> Result<TransactWriteItem, Error> {
        self.put_in(doing, Put::builder().set_item(Some(item)))
    }

    /// An update as a part of a transaction.
    pub(crate) fn update_in(
        &self,
        doing: &'static str,
        update: UpdateBuilder,
    ) -> Result<TransactWriteItem, Error> {
        let update = update.table_name(&self.name).build();
        let update: Update = update.map_err(|e| Error::IncompleteRequest(doing, e))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// A deletion as a part of a transaction.
    pub(crate) fn delete_in(
        &self,
        doing: &'static str,
        delete: DeleteBuilder,
    ) -> Result<TransactWriteItem, Error> {
        let delete = delete.table_name(&self.name).build();
        let delete: Delete = delete.map_err(|e| Error::IncompleteRequest(doing, e))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// A check as a part of a transaction.
    pub(crate) fn check_in(
        &self,
        doing: &'static str,
        check: ConditionCheckBuilder,
    ) -> Result<TransactWriteItem, Error> {
        let check = check.table_name(&self.name).build();
        let check: ConditionCheck = check.map_err(|e| Error::IncompleteRequest(doing, e))?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }
}

/// The attributes whose names DynamoDB reserves, with the names under which expressions use them.
const RESERVED: [(&str, &str); 6] = [
    ("#at", "at"),
    ("#day", "day"),
    ("#hash", "hash"),
    ("#result", "result"),
    ("#text", "text"),
    ("#to", "to"),
];

/// The reserved names that expressions use.
fn reserved_names(expressions: &[&str]) -> Vec<(&'static str, &'static str)> {
    let uses = |name: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '#' || c == ':';
        let mut words = expressions
            .iter()
            .flat_map(|expression| expression.split(|c: char| !is_part(c)));
        words.any(|word| word == name)
    };
    RESERVED
        .into_iter()
        .filter(|(name, _)| uses(name))
        .collect()
}

/// The response, or `None` if the condition of the request does not hold.
fn unless_refused<T, E>(
    doing: &'static str,
    sent: Result<T, SdkError<E>>,
) -> Result<Option<T>, Error>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match sent {
        Ok(response) => Ok(Some(response)),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(None),
        Err(error) => Err(failed(doing, error)),
    }
}

fn failed<E>(doing: &'static str, error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    Error::Aws(doing, aws_error(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_reserved_names_that_an_expression_uses_are_sent() {
        assert_eq!(
            reserved_names(&["SET #result = :result, endedAt = :at", "#text = :text"]),
            [("#result", "result"), ("#text", "text")]
        );
        assert_eq!(reserved_names(&["SET decision = :decision"]), []);
        assert_eq!(
            reserved_names(&["decision.#hash = :hash"]),
            [("#hash", "hash")]
        );
    }
}
