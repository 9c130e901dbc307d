//! Inputs of use cases: plain values, or something that still has to be read, like the body of a request.

use validator::Validate;

use crate::error::{Error, FieldErrors};

/// A value together with the faults met while reading it.
///
/// A field that could not be read holds a placeholder and has its fault in the list, so that the rules of the domain
/// still run over the rest and the caller learns all faults at once.
#[derive(Debug)]
pub struct Draft<T> {
    /// The value.
    pub value: T,
    /// What was wrong with its shape.
    pub faults: FieldErrors,
}

impl<T: Validate> Draft<T> {
    /// The value, if neither its shape nor its rules have a fault.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the faults of both.
    pub fn checked(self) -> Result<T, Error> {
        let Self { value, mut faults } = self;
        if let Err(errors) = value.validate() {
            faults.merge(FieldErrors::from(errors));
        }
        faults.into_result().map(|()| value)
    }
}

/// What a use case takes as input. It is read only after the object was found and the right was checked, so that a
/// stranger learns nothing from the faults of his input.
///
/// A plain value is an input as it is.
pub trait Input<T>: Send {
    /// Reads the value.
    ///
    /// # Errors
    /// If there is no value at all, as in a body that is not JSON.
    fn read(self) -> Result<Draft<T>, Error>;
}

impl<T: Validate + Send> Input<T> for T {
    fn read(self) -> Result<Draft<T>, Error> {
        Ok(Draft { value: self, faults: FieldErrors::new() })
    }
}

/// As [`checked`], with a further check of the value whose faults are told together with the others.
///
/// # Errors
/// As [`checked`].
pub(crate) fn checked_with<T: Validate>(
    input: impl Input<T>,
    further: impl FnOnce(&T) -> FieldErrors,
) -> Result<T, Error> {
    let Draft { value, mut faults } = input.read()?;
    if let Err(errors) = value.validate() {
        faults.merge(FieldErrors::from(errors));
    }
    faults.merge(further(&value));
    faults.into_result().map(|()| value)
}

/// Reads and checks an input in one step.
///
/// # Errors
/// As [`Input::read`] and [`Draft::checked`].
pub(crate) fn checked<T: Validate>(input: impl Input<T>) -> Result<T, Error> {
    input.read()?.checked()
}
