//! One file: what it held when it was read last.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use headgate_config::{Effect, Verdict};
use smallvec::SmallVec;

use super::{file_reference, scan::FilePath};
use crate::{
    objects::{Key, Kind, Object},
    source::manifest::{Fault, Manifest},
};

/// A file that was written this short before it was read may have been written again within the same tick of the file
/// system's clock; its stamp proves nothing.
const TOO_FRESH: Duration = Duration::from_millis(100);

/// What tells versions of a file apart without reading them: a hash of device, inode, size and time of the last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(u64);

impl From<&fs::Metadata> for Stamp {
    fn from(metadata: &fs::Metadata) -> Self {
        let version = (
            metadata.dev(),
            metadata.ino(),
            metadata.len(),
            metadata.mtime(),
            metadata.mtime_nsec(),
        );
        Self(hash(&version))
    }
}

/// A file's content.
#[derive(Debug)]
pub struct File {
    /// Version of the file, if the stamp proves it.
    stamp: Option<Stamp>,
    hash: u64,
    /// Objects by identity. Of repeated ones the last counts, as if they were applied one after the other.
    objects: SmallVec<[Object; 1]>,
    /// What is wrong with its documents.
    pub faults: Box<[Fault]>,
    /// How many documents it has of each kind that nobody reads.
    pub passed_over: Box<[(Box<str>, u32)]>,
}

impl File {
    /// Reads a file; `None` if it does not exist.
    pub fn read(path: &Path) -> Option<Self> {
        match Self::open_and_parse(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Self::of(None, 0, fault(error.to_string()))),
        }
    }

    /// Reads files on all cores; in the order of their paths.
    pub fn read_all(paths: &[FilePath]) -> Vec<(FilePath, Self)> {
        const WORTH_A_THREAD: usize = 32;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.min(paths.len() / WORTH_A_THREAD + 1);
        let next = AtomicUsize::new(0);
        let work = || {
            let mut read = Vec::new();
            while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                read.extend(Self::read(path).map(|file| (path.clone(), file)));
            }
            read
        };
        let mut read = thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut read = work();
            for other in others {
                read.extend(other.join().unwrap_or_default());
            }
            read
        });
        read.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        read
    }

    fn open_and_parse(path: &Path) -> io::Result<Option<Self>> {
        let mut file = fs::File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let age = metadata.modified()?.elapsed();
        let is_proof = age.is_ok_and(|age| age > TOO_FRESH);
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
        file.read_to_end(&mut bytes)?;
        let stamp = is_proof.then(|| Stamp::from(&metadata));
        Ok(Some(Self::of(stamp, hash(&bytes), parse(&bytes))))
    }

    fn of(stamp: Option<Stamp>, hash: u64, manifest: Manifest) -> Self {
        let Manifest { objects, faults, passed_over } = manifest;
        let passed_over = passed_over.into_iter().collect();
        Self { stamp, hash, objects: by_identity(objects), faults: faults.into(), passed_over }
    }

    /// Whether this is certainly the version of the file that bears this stamp.
    pub fn is_current(&self, stamp: &Stamp) -> bool {
        self.stamp.as_ref() == Some(stamp)
    }

    /// Whether it was written so short before that its writer may not be done.
    pub fn is_fresh(&self) -> bool {
        self.stamp.is_none()
    }

    /// Whether both hold the same bytes.
    pub fn has_content_of(&self, other: &Self) -> bool {
        self.hash == other.hash
    }

    /// Takes over what an earlier reading of the same bytes left.
    pub fn keep(&mut self, earlier: &Self) {
        self.objects.clone_from(&earlier.objects);
    }

    /// Takes over the objects of an earlier version that are missing here: they may be in what does not parse.
    pub fn keep_missing(&mut self, earlier: &Self) {
        let missing = earlier
            .objects
            .iter()
            .filter(|object| self.object(object.kind(), object.key()).is_none());
        let objects = missing.cloned().chain(self.objects.iter().cloned());
        self.objects = by_identity(objects.collect());
    }

    /// The objects, sorted by identity.
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// The object of this identity.
    pub fn object(&self, kind: Kind, key: &Key) -> Option<&Object> {
        let at = self.objects.binary_search_by(|object| identity(object).cmp(&(kind, key)));
        at.ok().map(|at| &self.objects[at])
    }

    /// Whether there are documents of which there is no object.
    pub fn is_broken(&self) -> bool {
        self.faults.iter().any(|fault| fault.effect == Effect::Refused)
    }

    /// One verdict for each fault.
    pub fn verdicts(&self, path: &Path) -> impl Iterator<Item = Verdict> {
        self.faults.iter().map(move |fault| {
            let then = match fault.effect {
                Effect::Refused => {
                    "; the last version of it that could be read stays, if there was one"
                }
                _ => "",
            };
            Verdict {
                object: fault.object.clone().unwrap_or_else(|| file_reference(path)),
                effect: fault.effect,
                reason: fault.word.into(),
                message: format!("{}:{}: {}{then}", path.display(), fault.line, fault.reason),
            }
        })
    }
}

fn identity(object: &Object) -> (Kind, &Key) {
    (object.kind(), object.key())
}

fn by_identity(mut objects: Vec<Object>) -> SmallVec<[Object; 1]> {
    objects.reverse();
    objects.sort_by(|a, b| identity(a).cmp(&identity(b)));
    objects.dedup_by(|later, first| identity(later) == identity(first));
    objects.into_iter().collect()
}

fn parse(bytes: &[u8]) -> Manifest {
    match std::str::from_utf8(bytes) {
        Ok(text) => Manifest::parse(text),
        Err(_) => fault("the file is not UTF-8".into()),
    }
}

fn fault(reason: String) -> Manifest {
    let (effect, word) = (Effect::Refused, "Unreadable");
    let fault = Fault { effect, word, line: 1, object: None, reason };
    Manifest { faults: vec![fault], ..Manifest::default() }
}

fn hash(content: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}
