/** The list of conversations: a file of its own, fetched when somebody opens it. */

export { build } from "./build";
export { ConversationsPlace } from "./view/conversations_place";
