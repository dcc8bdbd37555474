//! Money that was reserved by invocations that died.

use jiff::SignedDuration;
use posts_table::{Micros, Reservation, Settlement};

use crate::{Error, Folder, Sweep};

/// After how long an invocation is surely dead: `generate-image` runs for less than five minutes.
const DEAD: SignedDuration = SignedDuration::from_mins(15);

impl Sweep<'_> {
    /// Counts in full what nobody will settle any more.
    pub(crate) async fn reservations(&mut self, bot: &Folder) -> Result<(), Error> {
        for reservation in self.table().reservations(&bot.name).await? {
            let settled = async {
                let reservation: Reservation = reservation?;
                if self.now.duration_since(reservation.at) < DEAD {
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
                        "nobody settled this reservation, so all of it counts"
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
