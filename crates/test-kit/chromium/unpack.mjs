// Puts Chromium, its libraries and the fonts into this folder, which TMPDIR must name as well.
import { inflate } from "@sparticuz/chromium";
import { rename } from "node:fs/promises";

const packed = ["chromium.br", "al2023.tar.br", "fonts.tar.br"];
await Promise.all(packed.map((file) => inflate(`node_modules/@sparticuz/chromium/bin/${file}`)));

const emoji = "NotoColorEmoji_400Regular.ttf";
await rename(`node_modules/@expo-google-fonts/noto-color-emoji/400Regular/${emoji}`, `fonts/${emoji}`);
await rename("node_modules/dejavu-fonts-ttf/ttf", "fonts/dejavu");
