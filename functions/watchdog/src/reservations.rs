//! Reservations of invocations that ended without settling them.

use jiff::SignedDuration;
use posts_table::{Micros, Reservation, Settlement};

use crate::{Error, Folder, Sweep};

/// The age from which a reservation is abandoned: `generate-image` runs for less than five minutes.
const ABANDONED_AFTER: SignedDuration = SignedDuration::from_mins(15);

impl Sweep<'_> {
    /// Settles abandoned reservations in full.
    pub(crate) async fn reservations(&mut self, bot: &Folder) -> Result<(), Error> {
        for reservation in self.table().reservations(&bot.name).await? {
            let settled = async {
                let reservation: Reservation = reservation?;
                if self.now.duration_since(reservation.at) < ABANDONED_AFTER {
                    return Ok(false);
                }
                let unknown = Settlement::Unknown;
                let settle = self
                    .table()
                    .settle(&reservation, unknown, Micros(0), self.now);
                let settled = settle.await?;
                if settled {
                    tracing::warn!(
                        post = reservation.post,
                        reserved = %reservation.micros,
                        "this reservation was abandoned, so it counts in full"
                    );
                }
                anyhow::Ok(settled)
            };
            match settled.await {
                Ok(settled) => self.done.counted += u32::from(settled),
                Err(error) => self.failed(format!("a reservation of {}", bot.name), &error),
            }
        }
        Ok(())
    }
}
