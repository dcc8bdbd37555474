/// What an operator does about an error, after its cause is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::VariantArray)]
pub enum Remedy {
    /// Resume the run in the state that failed.
    Redrive,
    /// Run the slot again: a redrive would fail the same way.
    RunAgain,
    /// Run the slot again, which pays for another picture: a redrive would find the same one.
    NewPicture,
    /// Override the caption first, then run the slot again.
    OverrideCaption,
    /// Override the scene first, then run the slot again.
    OverrideScene,
    /// Check the account on X, then attach the tweet or send it again.
    AttachOrPostAgain,
    /// Check the account on X, then attach the tweet or override the caption.
    AttachOrOverride,
    /// Nothing: the error leaves nothing to do.
    Nothing,
}
