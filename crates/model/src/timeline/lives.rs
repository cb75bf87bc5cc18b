//! Lives by UID and by name. In a long run one name has many pods in turn, so finding the one of a record must not scan
//! all of them.

use std::collections::HashMap;
use std::ops::Deref;
use std::slice;

use super::life::Incarnation;

/// All lives of one kind of object, by first appearance.
#[derive(Debug, Clone)]
pub struct Lives<T> {
    all: Vec<T>,
    by_uid: HashMap<String, usize>,
    by_name: HashMap<String, Holders>,
}

/// The positions of all lives of a name, by first appearance.
#[derive(Debug, Clone, Default)]
struct Holders {
    places: Vec<usize>,
    /// For each, the position in `places` of the oldest life that had not ended when this one began.
    oldest: Vec<usize>,
}

impl<T> Default for Lives<T> {
    fn default() -> Self {
        Self { all: Vec::new(), by_uid: HashMap::new(), by_name: HashMap::new() }
    }
}

impl<T> Deref for Lives<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.all
    }
}

impl<'a, T> IntoIterator for &'a Lives<T> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    fn into_iter(self) -> slice::Iter<'a, T> {
        self.all.iter()
    }
}

impl<T: Incarnation> Lives<T> {
    /// The life with this UID.
    pub fn of_uid(&self, uid: &str) -> Option<&T> {
        self.by_uid.get(uid).map(|place| &self.all[*place])
    }

    /// All lives of a name, oldest first.
    pub fn of_name(&self, name: &str) -> impl DoubleEndedIterator<Item = &T> + use<'_, T> {
        self.places(name).iter().map(|place| &self.all[*place])
    }

    /// Lives of a name that began after one record and before another, oldest first.
    pub fn coming(&self, name: &str, after: u64, before: u64) -> impl DoubleEndedIterator<Item = &T> + use<'_, T> {
        let places = self.places(name);
        let (from, to) = (self.come_by(places, after), self.come_by(places, before.saturating_sub(1)));
        places[from.min(to)..to].iter().map(|place| &self.all[*place])
    }

    /// Lives of a name at that record, oldest first.
    pub fn alive_at(&self, name: &str, seq: u64) -> impl DoubleEndedIterator<Item = &T> + use<'_, T> {
        let places = self.places(name);
        let come = self.come_by(places, seq);
        let oldest = come.checked_sub(1).map_or(0, |last| self.by_name[name].oldest[last]);
        let lives = places[oldest..come].iter().map(|place| &self.all[*place]);
        lives.filter(move |life| life.lasts().1.is_none_or(|gone| gone.seq > seq))
    }

    fn places(&self, name: &str) -> &[usize] {
        self.by_name.get(name).map_or(&[], |bearers| &bearers.places)
    }

    /// How many of these lives had begun by that record.
    fn come_by(&self, places: &[usize], seq: u64) -> usize {
        places.partition_point(|place| self.all[*place].lasts().0.seq <= seq)
    }

    pub(super) fn known(&mut self, uid: &str) -> Option<&mut T> {
        self.by_uid.get(uid).map(|place| &mut self.all[*place])
    }

    pub(super) fn add(&mut self, life: T) -> &mut T {
        let place = self.all.len();
        let (name, uid) = life.known_as();
        self.by_uid.insert(uid.to_owned(), place);
        let bearers = self.by_name.entry(name.to_owned()).or_default();
        let mut oldest = bearers.oldest.last().copied().unwrap_or(0);
        while bearers.places.get(oldest).is_some_and(|place| self.all[*place].lasts().1.is_some()) {
            oldest += 1;
        }
        bearers.places.push(place);
        bearers.oldest.push(oldest);
        self.all.push(life);
        &mut self.all[place]
    }
}
