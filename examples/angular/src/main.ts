import "@angular/compiler"; // templates are compiled in the browser: no build step
import { provideZonelessChangeDetection } from "@angular/core";
import { bootstrapApplication } from "@angular/platform-browser";
import { ChatRoom } from "./chat_room";

bootstrapApplication(ChatRoom, {
  providers: [provideZonelessChangeDetection()],
}).catch((error) => console.error(error));
