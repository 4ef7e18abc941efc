//! Which file has which object, as files come, change and go.

use std::{io, path::PathBuf, time::Instant};

use super::{Directory, file::File, scan::FilePath};
use crate::objects::{Object, Objects};

impl Directory {
    /// Puts a file's new content in place of its old.
    pub(super) fn replace(&mut self, path: &FilePath, mut read: File, objects: &mut Objects) {
        self.settling.came_back(path);
        let old = self.files.remove(path);
        let (objects_read, faults) = (read.objects().len(), read.faults.len());
        tracing::debug!(file = %path.display(), objects = objects_read, faults, "file read");
        if let Some(old) = &old {
            if old.has_content_of(&read) {
                read.keep(old);
            } else if read.is_broken() {
                read.keep_missing(old);
            }
        }
        for object in read.objects() {
            self.claim(path, object, objects);
        }
        let dropped = old
            .iter()
            .flat_map(|old| old.objects())
            .filter(|old| read.object(old.kind(), old.key()).is_none());
        let dropped: Vec<_> = dropped.cloned().collect();
        if read.faults.is_empty() {
            self.faulty.remove(path);
        } else {
            self.faulty.insert(path.clone());
        }
        self.passed_over.replace(old.as_ref(), Some(&read));
        self.files.insert(path.clone(), read);
        for object in &dropped {
            self.release(path, object, objects);
        }
    }

    fn forget(&mut self, path: &FilePath, objects: &mut Objects) {
        self.faulty.remove(path);
        if let Some(file) = self.files.remove(path) {
            self.passed_over.replace(Some(&file), None);
            tracing::debug!(file = %path.display(), "file gone");
            for object in file.objects() {
                self.release(path, object, objects);
            }
        }
    }

    /// `path` holds the object: it is applied unless a file that sorts before has it, too. A file that is not there
    /// loses it.
    fn claim(&mut self, path: &FilePath, object: &Object, objects: &mut Objects) {
        let identity = (object.kind(), object.key().clone());
        let holders = self.holders.entry(identity.clone()).or_default();
        holders.retain(|holder| !self.settling.is_absent(holder));
        if let Err(at) = holders.binary_search(path) {
            holders.insert(at, path.clone());
        }
        if holders.first() == Some(path) {
            objects.apply(object);
        }
        if holders.len() > 1 {
            self.shared.insert(identity);
        }
    }

    /// `path` does not hold the object any more: it passes to the next file that does, or is removed.
    fn release(&mut self, path: &FilePath, object: &Object, objects: &mut Objects) {
        let (kind, key) = (object.kind(), object.key());
        let identity = (kind, key.clone());
        let holders = self.holders.entry(identity.clone()).or_default();
        holders.retain(|holder| holder != path);
        let next = holders
            .first()
            .and_then(|next| self.files.get(next))
            .and_then(|file| file.object(kind, key));
        match next {
            Some(object) => drop(objects.apply(object)),
            None => drop(objects.remove(kind, key)),
        }
        if holders.len() < 2 {
            self.shared.remove(&identity);
        }
        if holders.is_empty() {
            self.holders.remove(&identity);
        }
    }

    /// A file is not there. Until that is believed, it keeps what no other file has.
    pub(super) fn miss(&mut self, path: &FilePath, now: Instant, objects: &mut Objects) {
        let Some(file) = self.files.get(path) else { return };
        let is_away = |root: &&PathBuf| path.starts_with(root) && !root.exists();
        if let Some(root) = self.roots.iter().find(is_away) {
            // It was removed with its folder.
            self.settling.came_back(path);
            let reason = io::Error::from(io::ErrorKind::NotFound).to_string();
            self.unreadable.entry(root.clone()).or_insert(reason);
            return;
        }
        if self.settling.missed(path, now) {
            return self.forget(path, objects);
        }
        let is_shared =
            |object: &&Object| self.shared.contains(&(object.kind(), object.key().clone()));
        for object in &file.objects().iter().filter(is_shared).cloned().collect::<Vec<_>>() {
            self.release(path, object, objects);
        }
    }
}
