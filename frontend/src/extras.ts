/**
 * Views that no first answer needs: a file of its own, fetched when one of them is
 * first shown.
 */

export { build } from "./build";
export { AnswerFacts } from "./view/answer_facts";
export { ApprovalView } from "./view/approval";
export { AttachmentsView } from "./view/attachments";
export { CodeTools } from "./view/code_tools";
export { DataTreeView, DetailsView } from "./view/data_tree";
export { DiffView } from "./view/diff_view";
export { DisplayView } from "./view/display";
export { MessageTools } from "./view/message_tools";
export { QueueView } from "./view/queue";
export { noteReading } from "./view/read_mark";
export { SourcesView } from "./view/sources";
export { Steering } from "./view/steering";
export { ToolDetails } from "./view/tool_details";
export { Tray } from "./view/tray";
export { WritingAid } from "./view/writing_aid";
