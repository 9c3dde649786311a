import { app } from "../../scripts/app.js"; import "./lib/part.js";
