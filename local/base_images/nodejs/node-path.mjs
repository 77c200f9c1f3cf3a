// Lets `import` find packages in the folders of NODE_PATH, as on Lambda; Node.js itself looks there for `require` alone.
import { registerHooks } from "node:module";
import { basename, delimiter } from "node:path";
import { pathToFileURL } from "node:url";

const folders = (process.env.NODE_PATH ?? "").split(delimiter).filter((each) => basename(each) === "node_modules");
const PACKAGE = /^(?![a-z]+:)[^./]/;

registerHooks({
  resolve(specifier, context, next) {
    try {
      return next(specifier, context);
    } catch (error) {
      if (error.code === "ERR_MODULE_NOT_FOUND" && PACKAGE.test(specifier)) {
        for (const folder of folders) {
          try {
            return next(specifier, { ...context, parentURL: pathToFileURL(`${folder}/../any.mjs`).href });
          } catch {
            // Perhaps in the next folder.
          }
        }
      }
      throw error;
    }
  },
});
