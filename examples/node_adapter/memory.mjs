// What was printed for a task, for as long as the task may come again: a row of a DynamoDB table.
import { DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { GiveUp } from "./sender.mjs";

const KEPT_SECONDS = 14 * 86_400; // SQS keeps no message longer
const db = new DynamoDBClient({});
const TableName = process.env.LABELS_TABLE;

export async function printed(taskId) {
  const Key = { id: { S: taskId } };
  try {
    const { Item } = await db.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
    return Item && JSON.parse(Item.labels.S);
  } catch (error) {
    throw new GiveUp(`whether task ${taskId} was done cannot be read: ${error.message}`);
  }
}

// The first to write has printed them: whoever comes second takes over what the first has.
export async function remember(taskId, labels) {
  const Item = {
    id: { S: taskId },
    labels: { S: JSON.stringify(labels) },
    x: { N: String(Math.floor(Date.now() / 1000) + KEPT_SECONDS) },
  };
  const ConditionExpression = "attribute_not_exists(id)";
  const ReturnValuesOnConditionCheckFailure = "ALL_OLD";
  try {
    await db.send(
      new PutItemCommand({ TableName, Item, ConditionExpression, ReturnValuesOnConditionCheckFailure }),
    );
    return labels;
  } catch (error) {
    if (error.name === "ConditionalCheckFailedException") return JSON.parse(error.Item.labels.S);
    throw new GiveUp(`the labels of task ${taskId} could not be kept: ${error.message}`);
  }
}
