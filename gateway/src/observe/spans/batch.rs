//! Spans on their way: chunks as workers hand them over, the queue that they form, and the messages that are sent of them.
//! Pure.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};
use headgate_config::Collector;

use super::{proto, record::pair};

/// Bytes of spans in one message; collectors take 4 MiB by default.
const MOST_BYTES: usize = 2 * 1024 * 1024;

/// Spans one behind the other, each as a field of the message `ScopeSpans`.
#[derive(Debug, Default)]
pub struct Chunk {
    data: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Chunk {
    /// Adds a span.
    pub fn push(&mut self, span: &[u8]) {
        proto::bytes(&mut self.data, 2, span);
        self.ends.push(self.data.len());
    }

    /// How many there are.
    pub fn spans(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes they have.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// How many bytes a span adds.
    pub fn bytes_of(span: &[u8]) -> usize {
        proto::bytes_length(span.len())
    }
}

/// Chunks that wait.
#[derive(Debug, Default)]
pub struct Queue {
    chunks: VecDeque<Chunk>,
    /// Spans of the first chunk that were taken.
    taken: usize,
    spans: usize,
}

/// Spans that are sent at once.
#[derive(Clone, Debug)]
pub struct Batch {
    /// How many.
    pub spans: usize,
    /// Their bytes.
    pub bytes: usize,
    /// The message, as gRPC sends it.
    pub message: Bytes,
}

impl Queue {
    /// Adds what a worker has handed over.
    pub fn push(&mut self, chunk: Chunk) {
        self.spans += chunk.spans();
        self.chunks.push_back(chunk);
    }

    /// Spans that wait.
    pub fn spans(&self) -> usize {
        self.spans
    }

    /// Forgets all; how many there were, and their bytes.
    pub fn clear(&mut self) -> (usize, usize) {
        let all = std::mem::take(self);
        let taken = all.chunks.front().zip(all.taken.checked_sub(1));
        let taken = taken.map_or(0, |(chunk, last)| chunk.ends[last]);
        let bytes: usize = all.chunks.iter().map(Chunk::bytes).sum();
        (all.spans, bytes - taken)
    }

    /// The first `most` spans, or as many of them as a message may have, for this collector.
    pub fn take(&mut self, most: usize, collector: &Collector) -> Option<Batch> {
        let (mut data, mut spans) = (Vec::new(), 0);
        while spans < most
            && let Some(chunk) = self.chunks.front()
        {
            let from = self.taken.checked_sub(1).map_or(0, |last| chunk.ends[last]);
            let left = &chunk.ends[self.taken..];
            let fits = |end: &&usize| data.len() + **end - from <= MOST_BYTES;
            let mut count = left.iter().take(most - spans).take_while(fits).count();
            if count == 0 && spans == 0 {
                // It is too large, and has to go all the same.
                count = 1;
            }
            let Some(end) = count.checked_sub(1).map(|last| left[last]) else { break };
            data.extend_from_slice(&chunk.data[from..end]);
            spans += count;
            self.taken += count;
            if self.taken == chunk.spans() {
                self.chunks.pop_front();
                self.taken = 0;
            }
        }
        self.spans -= spans;
        let bytes = data.len();
        (spans > 0).then(|| Batch { spans, bytes, message: message(&data, collector) })
    }
}

/// An `ExportTraceServiceRequest` with these spans, behind the five bytes that gRPC puts before a message.
fn message(spans: &[u8], collector: &Collector) -> Bytes {
    let resource = resource(collector);
    let scope = scope();
    let of_scope = proto::bytes_length(scope.len()) + spans.len();
    let of_resource = proto::bytes_length(resource.len()) + proto::bytes_length(of_scope);
    let mut head = Vec::with_capacity(resource.len() + scope.len() + 32);
    proto::length(&mut head, 1, of_resource);
    proto::bytes(&mut head, 1, &resource);
    proto::length(&mut head, 2, of_scope);
    proto::bytes(&mut head, 1, &scope);
    let length = head.len() + spans.len();
    let mut message = BytesMut::with_capacity(5 + length);
    message.put_u8(0);
    message.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    message.extend_from_slice(&head);
    message.extend_from_slice(spans);
    message.freeze()
}

/// Who the spans are of: a `Resource`.
fn resource(collector: &Collector) -> Vec<u8> {
    let mut resource = Vec::new();
    for (name, value) in [
        ("service.name", &*collector.service),
        ("telemetry.sdk.language", "rust"),
        ("telemetry.sdk.name", "headgate"),
        ("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
    ] {
        let mut attribute = Vec::new();
        pair(&mut attribute, name, value);
        proto::bytes(&mut resource, 1, &attribute);
    }
    resource
}

/// What has made them: an `InstrumentationScope`.
fn scope() -> Vec<u8> {
    let mut scope = Vec::new();
    proto::bytes(&mut scope, 1, b"headgate");
    proto::bytes(&mut scope, 2, env!("CARGO_PKG_VERSION").as_bytes());
    scope
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;

    use super::*;

    fn collector() -> Collector {
        Collector {
            host: "collector".into(),
            port: 4317,
            service: "shop".into(),
            queue: 2048,
            batch: 512,
            delay: Duration::from_secs(5),
        }
    }

    /// A chunk of spans with these names.
    fn chunk(names: &[&str]) -> Chunk {
        let mut chunk = Chunk::default();
        for name in names {
            let mut span = Vec::new();
            proto::bytes(&mut span, 5, name.as_bytes());
            chunk.push(&span);
        }
        chunk
    }

    /// The names of the spans of a batch.
    fn names(batch: &Batch) -> Vec<String> {
        let (head, message) = batch.message.split_at(5);
        assert_eq!(head[0], 0, "it is not compressed");
        assert_eq!(head[1..], (message.len() as u32).to_be_bytes());
        let request = ExportTraceServiceRequest::decode(message).expect("a message");
        let [of_resource] = &*request.resource_spans else { panic!("{request:?}") };
        let [of_scope] = &*of_resource.scope_spans else { panic!("{request:?}") };
        of_scope.spans.iter().map(|span| span.name.clone()).collect()
    }

    #[test]
    fn batches_are_as_large_as_they_may_be_and_in_order() {
        let mut queue = Queue::default();
        for names in [&["a", "b", "c"][..], &["d"], &["e", "f"]] {
            queue.push(chunk(names));
        }
        assert_eq!(queue.spans(), 6);
        let (mut batches, mut bytes) = (Vec::new(), 0);
        while let Some(batch) = queue.take(2, &collector()) {
            assert_eq!(batch.spans, names(&batch).len());
            bytes += batch.bytes;
            batches.push(names(&batch).concat());
        }
        assert_eq!(batches, ["ab", "cd", "ef"]);
        assert_eq!((queue.spans(), bytes), (0, 6 * 5));
        queue.push(chunk(&["g", "h", "i"]));
        queue.push(chunk(&["j"]));
        queue.take(1, &collector()).expect("a batch");
        assert_eq!(queue.clear(), (3, 3 * 5));
        assert!(queue.take(9, &collector()).is_none());
    }

    #[test]
    fn a_message_is_no_larger_than_collectors_take_unless_one_span_is() {
        let (half, whole) = ("x".repeat(MOST_BYTES / 2), "y".repeat(MOST_BYTES + 1));
        let mut queue = Queue::default();
        queue.push(chunk(&[&half, "a", &half, &whole, "b"]));
        let mut sizes = Vec::new();
        while let Some(batch) = queue.take(100, &collector()) {
            sizes.push(batch.spans);
        }
        assert_eq!(sizes, [2, 1, 1, 1]);
    }

    #[test]
    fn a_message_says_whose_spans_they_are() {
        let mut queue = Queue::default();
        queue.push(chunk(&["a"]));
        let batch = queue.take(1, &collector()).expect("a batch");
        let request = ExportTraceServiceRequest::decode(&batch.message[5..]).expect("a message");
        let spans = &request.resource_spans[0];
        let attributes = &spans.resource.as_ref().expect("a resource").attributes;
        let service = attributes.iter().find(|pair| pair.key == "service.name").expect("a name");
        let service = service.value.as_ref().and_then(|value| value.value.clone());
        use opentelemetry_proto::tonic::common::v1::any_value::Value;
        assert_eq!(service, Some(Value::StringValue("shop".into())));
        let scope = spans.scope_spans[0].scope.as_ref().expect("a scope");
        assert_eq!(scope.name, "headgate");
    }
}
