// The behaviour of the page: two forms and a list that follows the query service.
// Text from users only ever goes through textContent.
"use strict";

const BACKGROUND_MS = 10_000; // a look now and then at what others write
const EAGER_MS = 30_000; // how long to look closely for what was just written
const FIRST_DELAY_MS = 150;
const LONGEST_DELAY_MS = 2_000;
const TIMEOUT_MS = 15_000;

const WORDS = {
  pending: "This comment is awaiting moderation",
  rejected: "This comment has been rejected",
};

const list = document.getElementById("posts");
const empty = document.getElementById("empty");
const notice = document.getElementById("notice");
const count = document.getElementById("post-count");
const template = document.getElementById("post-template");

/** Post id → its element, so that half-written comments survive a refresh. */
const shown = new Map();
/** Ids of posts and comments that were accepted and are not on the page in their final state yet. */
const awaited = new Set();
let eagerUntil = 0;
let delay = FIRST_DELAY_MS;
let timer;
let refreshing = false;

async function request(what, url, options) {
  let response;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    response = await fetch(url, { headers: { accept: "application/json" }, signal, ...options });
  } catch {
    throw new Error(`${what}: the server does not answer.`);
  }
  if (response.ok) return response.json();
  const answer = await response.json().catch(() => null);
  if (response.status < 500 && answer?.message) throw new Error(`${what}: ${answer.message}.`);
  throw new Error(`${what}: the service is not available right now (${response.status}).`);
}

function send(what, url, body) {
  const headers = { "content-type": "application/json", accept: "application/json" };
  return request(what, url, { method: "POST", headers, body: JSON.stringify(body) });
}

function renderComment(comment) {
  const item = document.createElement("li");
  const text = document.createElement("span");
  item.className = "comment";
  item.dataset.commentId = comment.id;
  item.dataset.status = comment.status;
  text.className = "comment-text";
  text.textContent = WORDS[comment.status] ?? comment.content;
  item.append(text);
  return item;
}

function createPost(post) {
  const article = template.content.cloneNode(true).querySelector(".post");
  const input = article.querySelector(".comment-content");
  const label = article.querySelector("label");
  article.dataset.postId = post.id;
  article.querySelector(".post-title").textContent = post.title;
  input.id = `comment-${post.id}`;
  label.htmlFor = input.id;
  label.textContent = `Comment on “${post.title}”`;
  onSubmit(article.querySelector("form"), async (content) => {
    const path = `/posts/${encodeURIComponent(post.id)}/comments`;
    const comments = await send("The comment was not saved", path, { content });
    const newest = comments.at(-1);
    if (newest) awaited.add(newest.id);
  });
  return article;
}

function renderPost(post) {
  const article = shown.get(post.id) ?? createPost(post);
  shown.set(post.id, article);
  const signature = JSON.stringify(post.comments);
  if (article.signature !== signature) {
    article.signature = signature;
    const total = post.comments.length;
    article.querySelector(".comment-count").textContent =
      total === 0 ? "No comments yet" : total === 1 ? "1 comment" : `${total} comments`;
    article.querySelector(".comments").replaceChildren(...post.comments.map(renderComment));
  }
  return article;
}

/** Shows the posts, newest first. Returns whether something on the page is still going to change. */
function render(posts) {
  const newestFirst = Object.values(posts).reverse();
  let pending = false;
  newestFirst.forEach((post, index) => {
    const article = renderPost(post);
    if (list.children[index] !== article) list.insertBefore(article, list.children[index] ?? null);
    awaited.delete(post.id);
    for (const comment of post.comments) {
      if (comment.status === "pending") pending = true;
      else awaited.delete(comment.id);
    }
  });
  for (const [id, article] of shown) {
    if (!(id in posts)) {
      article.remove();
      shown.delete(id);
    }
  }
  list.setAttribute("aria-busy", "false");
  empty.textContent = "No posts yet. Write the first one.";
  empty.hidden = newestFirst.length > 0;
  count.textContent = newestFirst.length > 0 ? String(newestFirst.length) : "";
  return pending || awaited.size > 0;
}

function warn(message) {
  notice.textContent = message;
  notice.hidden = message === "";
}

async function refresh() {
  if (refreshing) return;
  refreshing = true;
  clearTimeout(timer);
  let eager;
  try {
    eager = render(await request("Posts cannot be loaded", "/posts")) && Date.now() < eagerUntil;
    warn("");
  } catch (error) {
    warn(`${error.message} Trying again…`);
    if (shown.size === 0) empty.textContent = "The posts will appear here as soon as they can be loaded.";
    list.setAttribute("aria-busy", "false");
    eager = true;
  }
  refreshing = false;
  delay = eager ? Math.min(delay * 1.6, LONGEST_DELAY_MS) : FIRST_DELAY_MS;
  timer = setTimeout(refresh, eager ? delay : BACKGROUND_MS);
}

/** After a change: look again at once, then at growing intervals until it shows. */
function refreshEagerly() {
  eagerUntil = Date.now() + EAGER_MS;
  delay = FIRST_DELAY_MS;
  clearTimeout(timer);
  timer = setTimeout(refresh, FIRST_DELAY_MS);
}

/** Sends the form's one text field through `submit`; what was typed stays if that fails. */
function onSubmit(form, submit) {
  const input = form.querySelector("input");
  const button = form.querySelector("button");
  const hint = form.querySelector(".hint");
  const complain = (message) => {
    hint.textContent = message;
    input.setAttribute("aria-invalid", String(message !== ""));
  };
  input.addEventListener("input", () => complain(""));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (text === "") {
      complain("Please write something first.");
      input.focus();
      return;
    }
    button.disabled = true;
    try {
      await submit(text);
      input.value = "";
      complain("");
      refreshEagerly();
    } catch (error) {
      complain(error.message);
    }
    button.disabled = false;
  });
}

onSubmit(document.getElementById("create-post"), async (title) => {
  const post = await send("The post was not saved", "/posts/create", { title });
  awaited.add(post.id);
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
refresh();
