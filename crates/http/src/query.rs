//! Query parameters from closed lists: what a route does not know is a fault that names what it knows.

use std::{collections::BTreeMap, str::FromStr};

use sitewatch_domain::{
    FieldErrors,
    ids::Id,
    page::{Between, Direction, Inactive, Listing, PageRequest, SliceRequest},
    time::Instant,
};

use crate::error::ApiError;

/// The most keys to sort by.
pub(crate) const MAX_SORT_KEYS: usize = 5;

/// The parameters of a request. A route takes what it knows and then calls [`Query::finish`].
pub struct Query {
    given: BTreeMap<String, String>,
    known: Vec<&'static str>,
    faults: FieldErrors,
}

impl Query {
    /// Takes a query string apart; a parameter that comes twice is a fault that [`Query::finish`] tells.
    pub fn parse(text: &str) -> Self {
        let mut faults = FieldErrors::new();
        let mut given = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if value.contains('\0') {
                faults.add(name.as_ref(), "must not contain the character NUL");
            } else if given.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                faults.add(name.as_ref(), "must be given once");
            }
        }
        Self { given, known: Vec::new(), faults }
    }

    fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        self.given.remove(name)
    }

    /// Faults a parameter that is not given; its own reader takes it then.
    pub fn require(&mut self, name: &'static str, expected: &str) {
        if !self.given.contains_key(name) {
            self.faults.add(name, expected);
        }
    }

    /// A text.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.take(name)
    }

    /// Anything that is parsed from a text.
    pub fn parsed<T: FromStr>(&mut self, name: &'static str, expected: &str) -> Option<T> {
        self.chosen(name, expected, |text| text.parse().ok())
    }

    /// One of a closed list.
    pub fn chosen<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        choose: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.take(name)?;
        let found = choose(&text);
        if found.is_none() {
            self.faults.add(name, expected);
        }
        found
    }

    /// An id.
    pub fn id<T>(&mut self, name: &'static str) -> Option<Id<T>> {
        self.parsed(name, "must be a uuid")
    }

    /// A switch.
    pub fn switch(&mut self, name: &'static str) -> Option<bool> {
        self.parsed(name, "must be true or false")
    }

    /// A moment.
    pub fn instant(&mut self, name: &'static str) -> Option<Instant> {
        self.parsed(name, "must be an RFC 3339 time with an offset (write + as %2B)")
    }

    /// The four bounds of a moment: `name[gte]`, `name[gt]`, `name[lte]`, `name[lt]`.
    pub fn between(&mut self, names: &'static [&'static str; 4]) -> Between {
        let [gte, gt, lte, lt] = names;
        Between { gte: self.instant(gte), gt: self.instant(gt), lte: self.instant(lte), lt: self.instant(lt) }
    }

    /// Whether archived rows are asked for too.
    pub fn inactive(&mut self) -> Inactive {
        match self.switch("include_inactive") {
            Some(true) => Inactive::Included,
            Some(false) | None => Inactive::Hidden,
        }
    }

    /// The names in `include`, each from the list.
    pub fn includes(&mut self, allowed: &'static [&'static str]) -> Vec<String> {
        let Some(text) = self.take("include") else { return Vec::new() };
        let names: Vec<String> = text.split(',').map(str::to_owned).collect();
        if !names.iter().all(|name| allowed.contains(&name.as_str())) {
            self.faults.add("include", format!("must be some of {}", allowed.join(", ")));
        }
        names
    }

    /// How a list is asked for. The filter is read before by the route itself.
    pub fn listing<F, K: Copy>(&mut self, filter: F, keys: &'static [(&'static str, K)]) -> Listing<F, K> {
        let search = self.search();
        Listing {
            filter,
            search,
            sort: self.sort(keys),
            page: self.page(),
            inactive: self.inactive(),
            total: None,
        }
    }

    /// How a list without archived rows is asked for.
    pub fn active_listing<F, K: Copy>(
        &mut self,
        filter: F,
        keys: &'static [(&'static str, K)],
    ) -> Listing<F, K> {
        let search = self.search();
        Listing { search, ..self.unsearched_listing(filter, keys) }
    }

    /// How a list without archived rows and without a text to search in is asked for.
    pub fn unsearched_listing<F, K: Copy>(
        &mut self,
        filter: F,
        keys: &'static [(&'static str, K)],
    ) -> Listing<F, K> {
        Listing {
            filter,
            search: None,
            sort: self.sort(keys),
            page: self.page(),
            inactive: Inactive::Hidden,
            total: None,
        }
    }

    fn search(&mut self) -> Option<String> {
        let text = self.take("q")?;
        let length = text.trim().chars().count();
        if !(1..=100).contains(&length) {
            self.faults.add("q", "must be 1 to 100 characters");
        }
        Some(text.trim().to_owned())
    }

    fn sort<K: Copy>(&mut self, keys: &'static [(&'static str, K)]) -> Vec<(K, Direction)> {
        let Some(text) = self.take("sort") else { return Vec::new() };
        let mut sort = Vec::new();
        for part in text.split(',') {
            let (name, direction) = match part.strip_prefix('-') {
                Some(name) => (name, Direction::Descending),
                None => (part, Direction::Ascending),
            };
            if let Some((_, key)) = keys.iter().find(|(known, _)| *known == name) {
                sort.push((*key, direction));
            } else {
                let names: Vec<&str> = keys.iter().map(|(known, _)| *known).collect();
                let names = names.join(", ");
                self.faults
                    .add("sort", format!("must be some of {names}, each with an optional - before it"));
            }
        }
        if sort.len() > MAX_SORT_KEYS {
            self.faults.add("sort", "must be at most 5 keys");
        }
        sort
    }

    fn page(&mut self) -> PageRequest {
        let default = PageRequest::default();
        let page = self.parsed("page", "must be a whole number of at least 1");
        let per_page = self.parsed("per_page", "must be a whole number between 1 and 100");
        let request = PageRequest::new(
            page.unwrap_or_else(|| default.page()),
            per_page.unwrap_or_else(|| default.per_page()),
        );
        request.unwrap_or_else(|faults| {
            self.faults.merge(faults);
            default
        })
    }

    /// How a time-ordered list is asked for.
    pub fn slice(&mut self) -> SliceRequest {
        let cursor = self.take("cursor");
        let limit = self.parsed("limit", "must be a whole number between 1 and 1000");
        let default = SliceRequest::default();
        SliceRequest::new(limit.unwrap_or_else(|| default.limit()), cursor).unwrap_or_else(|faults| {
            self.faults.merge(faults);
            default
        })
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 422 with all faults, unknown parameters among them.
    pub fn finish(mut self) -> Result<(), ApiError> {
        let known = if self.known.is_empty() { "none".to_owned() } else { self.known.join(", ") };
        for name in self.given.keys() {
            let name: String = name.chars().take(64).collect();
            self.faults.add(name, format!("is not a known parameter; known are: {known}"));
        }
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[(&str, u8)] = &[("created_at", 1), ("name", 2)];

    fn faults(text: &str) -> String {
        let mut query = Query::parse(text);
        let _: Listing<(), u8> = query.listing((), KEYS);
        match query.finish() {
            Ok(()) => String::new(),
            Err(error) => String::from_utf8(error.body("r")).expect("text"),
        }
    }

    #[test]
    fn a_list_is_asked_for_with_known_parameters_only() {
        for good in ["", "page=2&per_page=50", "sort=-created_at,name", "q=borne", "include_inactive=true"] {
            assert_eq!(faults(good), "", "{good}");
        }
        for (bad, field) in [
            ("page=0", "page"),
            ("page=abc", "page"),
            ("per_page=101", "per_page"),
            ("sort=name;drop", "sort"),
            ("sort=", "sort"),
            ("q=", "q"),
            ("colour=red", "colour"),
            ("page=1&page=2", "page"),
            ("q=a%00b", "q"),
            ("page=101&per_page=100", "page"),
            ("include_inactive=1", "include_inactive"),
        ] {
            assert!(faults(bad).contains(&format!("\"field\":\"{field}\"")), "{bad}: {}", faults(bad));
        }
        assert!(faults("colour=red").contains("per_page"), "names what is known");
    }
}
