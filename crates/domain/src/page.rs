//! Pages for lists, slices for series, and how a list is asked for.

use crate::{error::FieldErrors, time::Instant};

/// How far offset paging reaches, in rows.
pub const MAX_REACH: u32 = 10_000;

/// Which page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    page: u32,
    per_page: u32,
}

impl PageRequest {
    /// Page `page` (from 1) of `per_page` rows (1 to 100), within the first 10,000 rows.
    ///
    /// # Errors
    /// The faults of both parameters, under their names `page` and `per_page`.
    pub fn new(page: u32, per_page: u32) -> Result<Self, FieldErrors> {
        let mut faults = FieldErrors::new();
        if page == 0 {
            faults.add("page", "must be at least 1");
        }
        if !(1..=100).contains(&per_page) {
            faults.add("per_page", "must be between 1 and 100");
        }
        if faults.is_empty() && page.saturating_mul(per_page) > MAX_REACH {
            faults.add("page", "page × per_page must be at most 10000; narrow the list with filters");
        }
        if faults.is_empty() { Ok(Self { page, per_page }) } else { Err(faults) }
    }

    /// The page, from 1.
    pub const fn page(self) -> u32 {
        self.page
    }

    /// Rows a page.
    pub const fn per_page(self) -> u32 {
        self.per_page
    }

    /// Rows before this page.
    pub const fn offset(self) -> u32 {
        (self.page - 1) * self.per_page
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { page: 1, per_page: 20 }
    }
}

/// How many rows a list has, exact up to [`MAX_REACH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// The number of rows, at most [`MAX_REACH`].
    pub count: u32,
    /// Whether there are more than `count`.
    pub is_capped: bool,
}

impl Total {
    /// From a count that stopped one beyond the cap.
    pub const fn from_count(count: u32) -> Self {
        if count > MAX_REACH {
            Self { count: MAX_REACH, is_capped: true }
        } else {
            Self { count, is_capped: false }
        }
    }

    /// The count that it is from.
    pub const fn counted(self) -> u32 {
        if self.is_capped { MAX_REACH + 1 } else { self.count }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// At most `per_page` rows, in the asked order, ties by id.
    pub items: Vec<T>,
    /// The size of the whole list.
    pub total: Total,
    /// Which page this is.
    pub request: PageRequest,
}

impl<T> Page<T> {
    /// The same page of something made from each row.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), total: self.total, request: self.request }
    }
}

/// Upwards or downwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The smallest first.
    Ascending,
    /// The largest first.
    Descending,
}

/// Whether archived rows are asked for too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Inactive {
    /// Active rows only.
    #[default]
    Hidden,
    /// Archived ones as well, which only admins may ask for.
    Included,
}

/// How a list of resources is asked for.
#[derive(Debug, Clone)]
pub struct Listing<F, K> {
    /// Conditions on fields, all of which must hold.
    pub filter: F,
    /// A search text: rows in whose searchable fields it occurs, without case.
    pub search: Option<String>,
    /// Sort keys, the most important first; at most five. Ties are broken by id.
    pub sort: Vec<(K, Direction)>,
    /// Which page.
    pub page: PageRequest,
    /// Whether archived rows are asked for too.
    pub inactive: Inactive,
    /// How long the whole list is, where that is known already; else it is counted.
    pub total: Option<Total>,
}

impl<F: Default, K> Default for Listing<F, K> {
    fn default() -> Self {
        Self {
            filter: F::default(),
            search: None,
            sort: Vec::new(),
            page: PageRequest::default(),
            inactive: Inactive::Hidden,
            total: None,
        }
    }
}

/// A condition on a moment: each bound that is given must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Between {
    /// At this moment or later.
    pub gte: Option<Instant>,
    /// Later than this moment.
    pub gt: Option<Instant>,
    /// At this moment or earlier.
    pub lte: Option<Instant>,
    /// Earlier than this moment.
    pub lt: Option<Instant>,
}

/// How a time-ordered list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceRequest {
    limit: u32,
    /// The opaque cursor of the previous slice; `None` starts at the beginning.
    pub cursor: Option<String>,
}

impl SliceRequest {
    /// At most `limit` rows (1 to 1,000) after the cursor.
    ///
    /// # Errors
    /// A fault under the name `limit`.
    pub fn new(limit: u32, cursor: Option<String>) -> Result<Self, FieldErrors> {
        if (1..=1_000).contains(&limit) {
            Ok(Self { limit, cursor })
        } else {
            Err(FieldErrors::one("limit", "must be between 1 and 1000"))
        }
    }

    /// Rows a slice.
    pub const fn limit(&self) -> u32 {
        self.limit
    }
}

impl Default for SliceRequest {
    fn default() -> Self {
        Self { limit: 100, cursor: None }
    }
}

/// A stretch of a time-ordered list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice<T> {
    /// At most `limit` rows.
    pub items: Vec<T>,
    /// The cursor of what follows; `None` at the end.
    pub next_cursor: Option<String>,
}

impl<T> Slice<T> {
    /// The same slice of something made from each row.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Slice<U> {
        Slice { items: self.items.into_iter().map(change).collect(), next_cursor: self.next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_lies_within_the_first_ten_thousand_rows() {
        assert!(PageRequest::new(100, 100).is_ok());
        for (page, per_page, field) in [
            (0, 20, "page"),
            (1, 0, "per_page"),
            (1, 101, "per_page"),
            (101, 100, "page"),
            (u32::MAX, 100, "page"),
        ] {
            let faults = PageRequest::new(page, per_page).expect_err("out of bounds");
            assert!(faults.names(field), "{page} {per_page}");
        }
        assert_eq!(PageRequest::new(3, 50).expect("legal").offset(), 100);
    }

    #[test]
    fn totals_say_when_they_stopped_counting() {
        assert_eq!(Total::from_count(10_000), Total { count: 10_000, is_capped: false });
        assert_eq!(Total::from_count(10_001), Total { count: 10_000, is_capped: true });
    }
}
