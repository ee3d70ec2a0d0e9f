/**
 * Views that no first answer needs: a file of its own, fetched when one of them is
 * first shown.
 */

export { build } from "./build";
export { ApprovalView } from "./view/approval";
export { AttachmentsView } from "./view/attachments";
export { Completion } from "./view/completion";
export { DataTreeView, DetailsView } from "./view/data_tree";
export { DisplayView } from "./view/display";
export { QueueView } from "./view/queue";
export { SourcesView } from "./view/sources";
export { Tray } from "./view/tray";
export { UsageView } from "./view/usage_view";
